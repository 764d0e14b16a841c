import ExecModel
import Kernel
import Synchronization
import Wire

/// A server that does what a test's script says, over a real socket. It answers Hello by itself.
final class FakeServer: Sendable {
    /// Called on the server's loop with each call's request and each message of its stream.
    typealias Script = @Sendable (Event, Peer) -> Void

    /// What a client does.
    enum Event {
        case request(Wire.Method, payload: [UInt8], id: UInt32)
        case message([UInt8], id: UInt32)
        case halfClose(id: UInt32)
        case gone
    }

    let address: String
    private let group: EventLoopGroup
    private let path: String

    init(_ script: @escaping Script) throws {
        let name = randomBytes(6).map { String($0, radix: 16) }.joined()
        path = "/tmp/execstream-test-\(name).sock"
        address = "unix:\(path)"
        group = try EventLoopGroup(count: 1, name: "fake")
        var listening = try Sockets.listen(on: SocketAddress(parsing: address))
        let box = DescriptorBox(listening.takeDescriptor())
        let loop = group.next()
        loop.execute {
            do {
                try Listener(box, loop: loop, script: script).begin()
            } catch {
                preconditionFailure("the fake server can't listen: \(error)")
            }
        }
    }

    /// Breaks all connections and listens no more.
    func stop() {
        group.shutdown()
        try? Files.remove(path)
    }
}

final class DescriptorBox: Sendable {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

private final class Listener: ReadinessHandler {
    private let box: DescriptorBox
    private let loop: EventLoop
    private let script: FakeServer.Script
    private var count = 0

    init(_ box: DescriptorBox, loop: EventLoop, script: @escaping FakeServer.Script) {
        self.box = box
        self.loop = loop
        self.script = script
    }

    func begin() throws { _ = try loop.register(box.descriptor, for: .readable, self) }

    func ready(_ readiness: Readiness) {
        do {
            while let accepted = try Sockets.accept(box.descriptor) {
                count += 1
                try Peer(DescriptorBox(accepted), number: count, loop: loop, script: script).begin()
            }
        } catch {
            preconditionFailure("the fake server can't accept: \(error)")
        }
    }
}

/// One client's connection. The server's loop only.
final class Peer: ReadinessHandler {
    /// 1 for the first connection.
    let number: Int
    private var box: DescriptorBox?
    private let loop: EventLoop
    private let script: FakeServer.Script
    private var decoder = FrameDecoder()
    private var registration: Registration?
    private var unwritten: [UInt8] = []

    init(
        _ box: DescriptorBox,
        number: Int,
        loop: EventLoop,
        script: @escaping FakeServer.Script,
    ) {
        self.box = box
        self.number = number
        self.loop = loop
        self.script = script
    }

    func begin() throws {
        guard let box else { return }
        registration = try loop.register(box.descriptor, for: .readable, self)
    }

    /// Sends one message of a stream.
    func send(_ message: some WireMessage, on id: UInt32) {
        if let frame = try? Frames.data(message, streamID: id) { write(frame) }
    }

    /// Answers a call.
    func respond(_ message: some WireMessage, on id: UInt32) {
        write(Frames.response(message, streamID: id))
    }

    /// Refuses a call.
    func fail(_ error: ExecError, on id: UInt32) {
        write(Frames.failure(error, streamID: id))
    }

    /// Ends a stream.
    func end(_ id: UInt32) { write(Frames.end(streamID: id)) }

    /// Breaks the connection.
    func close() {
        if let registration { loop.deregister(registration) }
        registration = nil
        box = nil
    }

    func write(_ bytes: [UInt8]) {
        unwritten += bytes
        flush()
    }

    private func flush() {
        guard let box, let registration else { return }
        while !unwritten.isEmpty {
            let count = unwritten.withUnsafeBytes { try? box.descriptor.write($0) }
            guard let count else { break }
            unwritten.removeFirst(count)
        }
        loop.update(registration, to: unwritten.isEmpty ? .readable : [.readable, .writable])
    }

    func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard readiness != .writable else { return }
        var bytes: [UInt8] = []
        do {
            guard let box, let count = try box.descriptor.read(into: loop.scratch) else { return }
            bytes = Array(loop.scratch.prefix(count))
        } catch {}
        if bytes.isEmpty {
            close()
            return script(.gone, self)
        }
        var frames: [(FrameHeader, [UInt8])] = []
        _ = try? decoder.decode(bytes.span.bytes) { header, payload in
            frames.append((header, payload.withUnsafeBytes { Array($0) }))
        }
        for (header, payload) in frames { take(header, payload) }
    }

    private func take(_ header: FrameHeader, _ payload: [UInt8]) {
        let id = header.streamID
        if header.type == .request {
            guard let request = try? CallRequest.decode(payload.span.bytes),
                let method = Method(rawValue: request.method)
            else { preconditionFailure("the client sent a request that does not parse") }
            if method == .hello {
                let hello = HelloResponse(
                    server: "fake/1",
                    protocolVersion: 1,
                    features: [],
                    chunkBytesMax: 65536,
                )
                return respond(hello, on: id)
            }
            return script(.request(method, payload: request.payload, id: id), self)
        }
        if !header.flags.contains(.noData) { script(.message(payload, id: id), self) }
        if header.flags.contains(.remoteClosed) { script(.halfClose(id: id), self) }
    }
}

extension FakeServer.Event {
    /// The session message it is.
    var session: (SessionRequest, id: UInt32)? {
        guard case .message(let payload, let id) = self,
            let message = try? SessionRequest.decode(payload.span.bytes)
        else { return nil }
        return (message, id)
    }

    /// The Start it is.
    var start: (Start, id: UInt32)? {
        guard case (.start(let start), let id)? = session else { return nil }
        return (start, id)
    }
}

/// What a script saw, for the test.
final class Seen<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    func add(_ value: Value) { values.withLock { $0.append(value) } }

    var all: [Value] { values.withLock { $0 } }
}
