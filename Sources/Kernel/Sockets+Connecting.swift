internal import CLinux
internal import Glibc

extension Sockets {
    /// Begins to connect. Once the socket is writable, `connectResult` tells how it went. A host with
    /// several addresses: the first that doesn't fail at once; to try the rest, `resolve` first.
    ///
    /// Finding the addresses of a name may take long; a number takes no time. EAGAIN: a Unix
    /// listener's queue is full, and the kernel has no way to say when it no longer is.
    package static func connect(to address: SocketAddress) throws(SocketFailure) -> Descriptor {
        var failure = SocketFailure(step: .resolve, errno: .notFound, address: address)
        for raw in try rawAddresses(of: address, forListening: false) {
            do throws(SocketFailure) {
                let socket = try create(raw, for: address)
                switch raw.with({ posix(Glibc.connect(socket.number, $0, $1)) }) {
                case 0, -EINPROGRESS, -EINTR: return socket
                case let answer:
                    throw SocketFailure(step: .connect, errno: Errno(-answer), address: address)
                }
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// How a connect went, once the socket is writable; nil: well.
    package static func connectResult(_ socket: borrowing Descriptor) -> Errno? {
        var (error, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        let answer = posix(getsockopt(socket.number, SOL_SOCKET, SO_ERROR, &error, &size))
        if answer != 0 { return Errno(-answer) }
        return error == 0 ? nil : Errno(error)
    }

    /// The addresses that one stands for, in numbers, the best first; for a Unix one, itself.
    package static func resolve(_ address: SocketAddress) throws(SocketFailure) -> [SocketAddress] {
        try rawAddresses(of: address, forListening: false).compactMap { $0.numeric }
    }

    static func rawAddresses(
        of address: SocketAddress,
        forListening: Bool,
    ) throws(SocketFailure) -> [RawAddress] {
        switch address {
        case .unix(let path):
            let count = path.utf8.count
            if count == 0 || count > SocketAddress.pathBytesMax || path.utf8.contains(0) {
                throw SocketFailure(
                    step: .resolve,
                    errno: count == 0 ? .invalid : .nameTooLong,
                    address: address,
                    detail: "a socket's path has 1 to \(SocketAddress.pathBytesMax) bytes, none NUL",
                )
            }
            return [RawAddress(unixPath: path)]
        case .tcp(let host, let port):
            do throws(ResolveFailure) {
                return try RawAddress.resolve(host: host, port: port, forListening: forListening)
            } catch {
                throw SocketFailure(
                    step: .resolve,
                    errno: error.errno,
                    address: address,
                    detail: error.text,
                )
            }
        }
    }

    static func create(
        _ raw: RawAddress,
        for address: SocketAddress,
    ) throws(SocketFailure) -> Descriptor {
        do throws(Errno) {
            return Descriptor(owning: try SystemCall.value { el_socket(raw.family) })
        } catch {
            throw SocketFailure(step: .create, errno: error, address: address)
        }
    }
}
