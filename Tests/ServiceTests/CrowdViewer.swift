import ExecModel
import Glibc
import Kernel
import Synchronization
import Wire

/// What all viewers of a crowd hold what they get against: a stream's byte at offset i is
/// `pattern[i % period]`, of stderr the same from another place.
struct CrowdPattern: Sendable {
    static let period = 65_521
    /// More than the period and a chunk together, so that a chunk is always one run of it.
    let bytes: [UInt8]

    init() {
        var state: UInt64 = 42
        let once = (0..<Self.period).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        bytes = once + once + once
    }

    func matches(_ payload: RawSpan, stream: ExecStream, offset: UInt64) -> Bool {
        let shift: UInt64 = stream == .stdout ? 0 : 1_000
        let start = Int((offset + shift) % UInt64(Self.period))
        return payload.withUnsafeBytes { payload in
            bytes.withUnsafeBytes { pattern in
                guard let theirs = payload.baseAddress, let ours = pattern.baseAddress else {
                    return true
                }
                return memcmp(theirs, ours + start, payload.count) == 0
            }
        }
    }
}

/// How one viewer of a crowd behaves.
enum CrowdManner: Sendable {
    case steady
    /// Reads this many bytes a second.
    case slow(bytesPerSecond: Int)
    /// After a MiB it does not read for this long.
    case stopping(Duration)
    /// Breaks its connection after this many bytes, and resumes.
    case broken(afterBytes: UInt64)
}

/// One viewer: a connection of its own that checks every byte as it comes. On its loop.
final class CrowdViewer: ReadinessHandler, @unchecked Sendable {
    // Unchecked: all that changes is touched on `loop` only.
    private let loop: EventLoop
    private let address: SocketAddress
    private let token: String
    private let key: ExecKey
    private var manner: CrowdManner
    private let pattern: CrowdPattern
    private let done: @Sendable (CrowdResult) -> Void
    private var socket: Descriptor?
    private var registration: Registration?
    private var decoder = FrameDecoder()
    private var outgoing: [UInt8] = []
    private var result = CrowdResult()
    private var offsets: [ExecStream: UInt64] = [.stdout: 0, .stderr: 0]
    private var isOver = false

    init(
        of key: ExecKey,
        at address: SocketAddress,
        token: String,
        manner: CrowdManner,
        pattern: CrowdPattern,
        loop: EventLoop,
        done: @escaping @Sendable (CrowdResult) -> Void,
    ) {
        (self.key, self.address, self.token, self.manner) = (key, address, token, manner)
        (self.pattern, self.loop, self.done) = (pattern, loop, done)
    }

    func begin() {
        loop.execute { [self] in connect() }
    }

    private func connect() {
        decoder = FrameDecoder()
        var view = View()
        if result.lastSequence > 0 { view.from = .after(sequence: result.lastSequence) }
        let start = Start(
            containerID: key.containerID,
            execID: key.execID,
            command: nil,
            view: view
        )
        do {
            let hello = HelloRequest(client: "crowd/1", token: token).encode()
            outgoing = try Frames.request(
                CallRequest(method: "Hello", payload: hello),
                streamID: 1
            )
            outgoing += try Frames.request(
                CallRequest(
                    method: "Session",
                    payload: SessionRequest.start(start).encode()
                ),
                streamID: 3,
                flags: .remoteOpen
            )
            let connected = try Sockets.connect(to: address)
            registration = try loop.register(connected, for: [.readable, .writable], self)
            socket = consume connected
        } catch {
            end("\(error)")
        }
    }

    func ready(_ readiness: Readiness) {
        do {
            if !outgoing.isEmpty, readiness.contains(.writable) { try write() }
            if readiness.contains(.readable) { try read() }
        } catch {
            end("\(error)")
        }
    }

    private func write() throws {
        let bytes = outgoing
        let count = try socket.lend { (socket) throws(Errno) in
            try socket.write(bytes.span.bytes)
        }
        outgoing.removeFirst((count ?? nil) ?? 0)
        if outgoing.isEmpty { setInterest(.readable) }
    }

    private func read() throws {
        let room: Int
        if case .slow = manner { room = 64 << 10 } else { room = 256 << 10 }
        let scratch = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<room])
        guard
            let count = try socket.lend({ (socket) throws(Errno) in try socket.read(into: scratch) }
            )
                ?? nil
        else { return }
        guard count > 0 else { return end("the server closed the connection") }
        let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
        try decoder.decode(RawSpan(_unsafeBytes: bytes)) { header, payload in
            take(header, payload)
        }
        behave(count)
    }

    private func behave(_ count: Int) {
        guard !isOver else { return }
        switch manner {
        case .steady: break
        case .slow(let bytesPerSecond):
            pause(for: .nanoseconds(Int64(count) * 1_000_000_000 / Int64(bytesPerSecond)))
        case .stopping(let duration) where result.bytes > 1 << 20:
            manner = .steady
            pause(for: duration)
        case .broken(let limit) where result.bytes > limit:
            manner = .steady
            close()
            connect()
        case .stopping, .broken: break
        }
    }

    private func pause(for duration: Duration) {
        setInterest([])
        loop.schedule(after: duration) { [self] in setInterest(.readable) }
    }

    private func take(_ header: FrameHeader, _ payload: RawSpan) {
        guard header.streamID == 3, header.type == .data, !isOver else {
            if header.type == .response, header.streamID == 3 { end("the session failed") }
            return
        }
        if let output = OutputMessage.parse(payload) {
            let bytes = payload.extracting(output.payload)
            let fields = output.fields
            return take(fields.sequence, fields.stream, fields.offset, bytes)
        }
        guard !header.flags.contains(.noData),
            case .exit(let exit)? = try? SessionResponse.decode(payload)
        else { return }
        result.exit = exit
        if exit.stdoutBytes != offsets[.stdout] || exit.stderrBytes != offsets[.stderr] {
            return end("the totals of the exit are not what came")
        }
        end(nil)
    }

    private func take(_ sequence: UInt64, _ stream: ExecStream, _ offset: UInt64, _ bytes: RawSpan)
    {
        guard sequence == result.lastSequence + 1, offset == offsets[stream] else {
            return end("chunk \(sequence) came after \(result.lastSequence)")
        }
        guard pattern.matches(bytes, stream: stream, offset: offset) else {
            return end("chunk \(sequence) has other bytes")
        }
        offsets[stream] = offset + UInt64(bytes.byteCount)
        result.lastSequence = sequence
        result.bytes += UInt64(bytes.byteCount)
        var hasher = result.shape
        for part in [sequence, UInt64(stream.rawValue), offset, UInt64(bytes.byteCount)] {
            hasher = (hasher ^ part) &* 0x100_0000_01B3
        }
        result.shape = hasher
    }

    private func setInterest(_ interest: Interest) {
        if let registration { loop.update(registration, to: interest) }
    }

    private func close() {
        if let registration { loop.deregister(registration) }
        registration = nil
        socket.take()?.close()
    }

    private func end(_ failure: String?) {
        guard !isOver else { return }
        isOver = true
        result.failure = failure
        close()
        done(result)
    }
}

/// What one viewer got.
struct CrowdResult: Sendable, Equatable {
    var bytes: UInt64 = 0
    var lastSequence: UInt64 = 0
    /// Of the sequence, stream, offset and length of every chunk, in order.
    var shape: UInt64 = 0xCBF2_9CE4_8422_2325
    var exit: Exit?
    /// Why it ended without the exit.
    var failure: String?
}
