import Glibc
import Kernel
import Synchronization
import Wire

/// A TCP proxy that breaks connections where a test says: at a number of bytes, or now.
final class CuttingProxy: Sendable {
    let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        var target: UInt16
        /// For the connections to come: how many bytes reach the client before the break.
        var limits: [Int]
        var links: [Link] = []
        var connections = 0
        var requests = 0
        var waiters: [(count: Int, flag: Flag)] = []
    }

    /// Connects whoever comes to the server on `target`. The first connections break after `limits`
    /// bytes to the client, those after them never by themselves.
    init(to target: UInt16, limits: [Int] = []) throws {
        state = Mutex(State(target: target, limits: limits))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let result = withSocketAddress(&address) { pointer in
            bind(listener, pointer, size) == 0 && listen(listener, 64) == 0
                && getsockname(listener, pointer, &size) == 0
        }
        guard result else { throw Errno(errno) }
        port = UInt16(bigEndian: address.sin_port)
        startThread { [self] in acceptAll() }
    }

    var address: String { "tcp:127.0.0.1:\(port)" }

    /// How many connections there have been.
    var connections: Int { state.withLock { $0.connections } }

    /// Waits until this many requests have gone to the server, on all connections together.
    func requests(_ count: Int) async {
        let flag = Flag()
        let isDone = state.withLock { state in
            if state.requests < count { state.waiters.append((count, flag)) }
            return state.requests >= count
        }
        if !isDone { await flag.wait() }
    }

    private func requestsHaveGone(_ count: Int) {
        let ready = state.withLock { state in
            state.requests += count
            let ready = state.waiters.filter { $0.count <= state.requests }
            state.waiters.removeAll { $0.count <= state.requests }
            return ready
        }
        for waiter in ready { waiter.flag.raise() }
    }

    /// Breaks all connections there are.
    func cut() {
        let links = state.withLock { state in
            defer { state.links = [] }
            return state.links
        }
        for link in links { link.cut() }
    }

    /// New connections go to another server.
    func redirect(to target: UInt16) { state.withLock { $0.target = target } }

    /// Breaks everything and takes no more connections.
    func close() {
        // Wakes the thread, which closes it.
        shutdown(listener, Int32(SHUT_RDWR))
        cut()
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            if client < 0 { break }
            let (target, limit) = state.withLock { state in
                state.connections += 1
                return (state.target, state.limits.isEmpty ? Int.max : state.limits.removeFirst())
            }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let link = Link(client: client, server: server)
            var address = loopback(target)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            guard withSocketAddress(&address, { connect(server, $0, size) }) == 0 else { continue }
            state.withLock { $0.links.append(link) }
            startThread { [self] in
                var decoder = FrameDecoder()
                link.pump(from: client, to: server, atMost: .max) { bytes in
                    var count = 0
                    _ = try? decoder.decode(bytes.span.bytes) { header, _ in
                        if header.type == .request { count += 1 }
                    }
                    requestsHaveGone(count)
                }
            }
            startThread { link.pump(from: server, to: client, atMost: limit) }
        }
        Glibc.close(listener)
    }
}

/// Two connected sockets, closed when their last user lets go.
private final class Link: Sendable {
    private let client: Int32
    private let server: Int32

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    deinit {
        Glibc.close(client)
        Glibc.close(server)
    }

    func cut() {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    /// Passes bytes on, blocking, until either side ends or `limit` of them have gone.
    func pump(
        from source: Int32,
        to target: Int32,
        atMost limit: Int,
        passed: (ArraySlice<UInt8>) -> Void = { _ in },
    ) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var left = limit
        while left > 0 {
            let count = read(source, &buffer, min(buffer.count, left))
            guard count > 0, sendAll(buffer.prefix(count), to: target) else { break }
            left -= count
            passed(buffer.prefix(count))
        }
        cut()
    }

    private func sendAll(_ bytes: ArraySlice<UInt8>, to target: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

private func withSocketAddress<R>(
    _ address: inout sockaddr_in,
    _ body: (UnsafeMutablePointer<sockaddr>) -> R,
) -> R {
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
    }
}

/// Runs `body`, which may block, on a thread of its own.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let answer = pthread_create(
        &thread,
        nil,
        { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        },
        box.toOpaque()
    )
    precondition(answer == 0, "no thread could be made")
    pthread_detach(thread)
}
