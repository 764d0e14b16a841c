internal import CLinux
internal import Glibc

extension Sockets {
    /// Listens. A socket file gets 0600 from its first moment on; one that nobody answers on any more
    /// is replaced, and one that somebody does is EADDRINUSE.
    package static func listen(
        on address: SocketAddress,
        backlog: Int32 = 1024,
    ) throws(SocketFailure) -> Listening {
        switch address {
        case .unix(let path): try listen(on: address, path: path, backlog: backlog)
        case .tcp: try listenTCP(on: address, backlog: backlog)
        }
    }

    private static func listenTCP(
        on address: SocketAddress,
        backlog: Int32,
    ) throws(SocketFailure) -> Listening {
        var failure = SocketFailure(step: .resolve, errno: .notFound, address: address)
        for raw in try rawAddresses(of: address, forListening: true) {
            do throws(SocketFailure) {
                let socket = try create(raw, for: address)
                set(1, SOL_SOCKET, SO_REUSEADDR, socket)
                try bind(socket, to: raw, for: address)
                try listen(socket, backlog: backlog, for: address)
                return Listening(address: boundAddress(socket) ?? address, descriptor: socket)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func listen(
        on address: SocketAddress,
        path: String,
        backlog: Int32,
    ) throws(SocketFailure) -> Listening {
        guard let raw = try rawAddresses(of: address, forListening: true).first else {
            preconditionFailure("a path is an address")
        }
        let socket = try create(raw, for: address)
        // On Linux the socket file takes its permissions from the socket: there is no moment at which
        // others could connect, and the process's umask stays alone.
        fchmod(socket.number, 0o600)
        // Held until it listens: a second server must not take the file for a stale one meanwhile.
        let lock = try lock(path, for: address)
        defer { lock.remove() }
        do throws(SocketFailure) {
            try bind(socket, to: raw, for: address)
        } catch  where error.errno == .addressInUse {
            try removeStale(path, raw, for: address)
            try bind(socket, to: raw, for: address)
        }
        try listen(socket, backlog: backlog, for: address)
        return Listening(address: address, descriptor: socket)
    }

    private static func lock(
        _ path: String,
        for address: SocketAddress,
    ) throws(SocketFailure) -> LockFile {
        let name = "\(path).lock"
        do throws(Errno) {
            if let lock = try LockFile(name, atMost: lockTime) { return lock }
        } catch {
            let detail =
                error == .notPermitted
                ? "the lock file \(name) is not a file of this user's alone; remove it"
                : "the lock file \(name) can't be made"
            throw SocketFailure(step: .bind, errno: error, address: address, detail: detail)
        }
        throw SocketFailure(
            step: .bind,
            errno: .addressInUse,
            address: address,
            detail: "another process holds the lock file \(name)",
        )
    }

    /// Nobody holds the lock longer than it takes to bind.
    private static let lockTime = Duration.seconds(2)

    /// Removes a socket file that nobody answers on; throws for anything else.
    private static func removeStale(
        _ path: String,
        _ raw: RawAddress,
        for address: SocketAddress,
    ) throws(SocketFailure) {
        var status = stat()
        if lstat(path, &status) != 0 { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketFailure(
                step: .bind,
                errno: .addressInUse,
                address: address,
                detail: "there is a file that isn't a socket",
            )
        }
        let probe = try create(raw, for: address)
        let answer = raw.with { posix(Glibc.connect(probe.number, $0, $1)) }
        guard answer == -ECONNREFUSED else {
            throw SocketFailure(
                step: .bind,
                errno: .addressInUse,
                address: address,
                detail: "somebody listens on it already",
            )
        }
        unlink(path)
    }

    private static func bind(
        _ socket: borrowing Descriptor,
        to raw: RawAddress,
        for address: SocketAddress,
    ) throws(SocketFailure) {
        let number = socket.number
        do throws(Errno) {
            try SystemCall.value { raw.with { posix(Glibc.bind(number, $0, $1)) } }
        } catch {
            throw SocketFailure(step: .bind, errno: error, address: address)
        }
    }

    private static func listen(
        _ socket: borrowing Descriptor,
        backlog: Int32,
        for address: SocketAddress,
    ) throws(SocketFailure) {
        let number = socket.number
        do throws(Errno) {
            try SystemCall.value { posix(Glibc.listen(number, backlog)) }
        } catch {
            throw SocketFailure(step: .listen, errno: error, address: address)
        }
    }

    private static func boundAddress(_ socket: borrowing Descriptor) -> SocketAddress? {
        let number = socket.number
        let raw = try? RawAddress { address, length in posix(getsockname(number, address, &length))
        }
        return raw?.numeric
    }
}
