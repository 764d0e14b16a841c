import ExecModel
import Glibc
import Kernel
import Wire

/// A client of bare frames over a blocking socket, so that a test can say exactly what it sends and
/// see exactly what comes back. A read waits 20 seconds at most.
final class RawClient {
    private let socket: Int32
    private var decoder = FrameDecoder()
    private var arrived: [Frame] = []

    struct Frame: Equatable {
        var header: FrameHeader
        var payload: [UInt8]

        var isEnd: Bool { header.type == .data && header.flags == .end && payload.isEmpty }
    }

    struct Closed: Error {}

    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Errno(errno) }
        var on: Int32 = 1
        setsockopt(
            socket,
            Int32(IPPROTO_TCP),
            TCP_NODELAY,
            &on,
            socklen_t(MemoryLayout<Int32>.size)
        )
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            socket,
            SOL_SOCKET,
            SO_RCVTIMEO,
            &timeout,
            socklen_t(MemoryLayout<timeval>.size)
        )
    }

    /// Connects to a Unix socket.
    init(path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Errno(errno) }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
    }

    deinit { Glibc.close(socket) }

    /// Ends the connection without a word.
    func close() { Glibc.shutdown(socket, Int32(SHUT_RDWR)) }

    /// Connects and authenticates.
    convenience init(_ service: Service) throws {
        try self.init(port: service.port)
        let answer = try call(.hello, HelloRequest(client: "raw/1", token: service.token))
        guard answer.status == nil else { throw answer.status ?? ExecError(.unknown, "") }
    }

    func write(_ bytes: [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Errno(errno) }
            start += count
        }
    }

    /// Whether the server closes the connection, or has, within that time; what it says is dropped.
    func isClosed(withinMS milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) > 0 else { return false }
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_DONTWAIT)) <= 0
    }

    /// Writes what the connection takes within that time; returns what is left.
    func writeSome(_ bytes: [UInt8], withinMS milliseconds: Int32) throws -> [UInt8] {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            guard count < 0, errno == EAGAIN else { throw Errno(errno) }
            var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, milliseconds) > 0 else { break }
        }
        return Array(rest)
    }

    /// The next frame; throws `Closed` at the end of the connection.
    func next() throws -> Frame {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while arrived.isEmpty {
            let count = read(socket, &buffer, buffer.count)
            guard count > 0 else { throw Closed() }
            try decoder.decode(buffer.span.bytes.extracting(0..<count)) { header, payload in
                arrived.append(Frame(header: header, payload: payload.bytes))
            }
        }
        return arrived.removeFirst()
    }

    // MARK: Calls

    func open(
        _ method: String,
        _ payload: [UInt8] = [],
        id: UInt32,
        flags: FrameFlags = [],
        service: String = ServiceName.exec,
        metadata: [(key: String, value: String)] = [],
        timeoutNano: Int64 = 0,
    ) throws {
        let request = CallRequest(
            service: service,
            method: method,
            payload: payload,
            timeoutNano: timeoutNano,
            metadata: metadata
        )
        try write(try Frames.request(request, streamID: id, flags: flags))
    }

    /// A unary call on stream 1 unless said otherwise.
    func call(
        _ method: Wire.Method,
        _ message: some WireMessage,
        id: UInt32 = 1,
    ) throws -> CallResponse {
        try open(method.rawValue, message.encode(), id: id)
        return try response(id)
    }

    /// A unary call whose own metadata has these values of `authorization`.
    func call(
        _ method: Wire.Method,
        _ message: some WireMessage,
        id: UInt32,
        authorization: [(key: String, value: String)],
    ) throws -> CallResponse {
        try open(method.rawValue, message.encode(), id: id, metadata: authorization)
        return try response(id)
    }

    /// The response that ends call `id`; frames of other calls before it are dropped.
    func response(_ id: UInt32) throws -> CallResponse {
        while true {
            let frame = try next()
            guard frame.header.streamID == id, frame.header.type == .response else { continue }
            return try CallResponse.decode(frame.payload.span.bytes)
        }
    }

    func send(_ message: some WireMessage, id: UInt32, flags: FrameFlags = []) throws {
        try write(try Frames.data(message, streamID: id, flags: flags))
    }

    func sendEnd(id: UInt32) throws { try write(Frames.end(streamID: id)) }

    // MARK: Sessions

    /// Opens a Session with its Start, in a frame of its own.
    func start(_ start: Start, id: UInt32) throws {
        try open("Session", id: id, flags: .remoteOpen)
        try send(SessionRequest.start(start), id: id)
    }

    /// Everything that comes on stream `id` until it ends.
    func session(_ id: UInt32) throws -> Transcript {
        try sessions([id])[id] ?? Transcript()
    }

    /// Everything that comes on these streams until all have ended.
    func sessions(_ ids: Set<UInt32>) throws -> [UInt32: Transcript] {
        var transcripts: [UInt32: Transcript] = [:]
        var open = ids
        while !open.isEmpty {
            let frame = try next()
            let id = frame.header.streamID
            guard open.contains(id) else { continue }
            if frame.header.type == .response {
                let status = try CallResponse.decode(frame.payload.span.bytes).status
                transcripts[id, default: Transcript()].failure = status
                open.remove(id)
            } else if frame.isEnd {
                open.remove(id)
            } else {
                let response = try SessionResponse.decode(frame.payload.span.bytes)
                transcripts[id, default: Transcript()].responses.append(response)
            }
        }
        return transcripts
    }
}

/// What one Session said.
struct Transcript {
    var responses: [SessionResponse] = []
    /// What the stream failed with, where it did.
    var failure: ExecError?

    var ready: Ready? {
        guard case .ready(let ready)? = responses.first else { return nil }
        return ready
    }

    /// The exit, where it is the last message.
    var exit: Exit? {
        guard case .exit(let exit)? = responses.last else { return nil }
        return exit
    }

    var chunks: [Output] {
        responses.compactMap { if case .output(let output) = $0 { output } else { nil } }
    }

    func bytes(_ stream: ExecStream) -> [UInt8] {
        chunks.filter { $0.stream == stream }.flatMap(\.bytes)
    }

    func text(_ stream: ExecStream) -> String { String(decoding: bytes(stream), as: UTF8.self) }
}

extension RawSpan {
    /// A copy.
    var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// A message out of a frame.
func decode<Message: WireMessage>(
    _ type: Message.Type,
    _ bytes: [UInt8],
) throws -> Message {
    try Message.decode(bytes.span.bytes)
}
