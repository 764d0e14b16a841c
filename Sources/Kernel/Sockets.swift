internal import CLinux
internal import Glibc

/// What could not be done with an address.
package struct SocketFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    package enum Step: String, Hashable, Sendable {
        case resolve = "find the address of"
        case create = "make a socket for"
        case bind = "take the address"
        case listen = "listen on"
        case connect = "connect to"
    }

    package let step: Step
    package let errno: Errno
    package let address: SocketAddress
    /// More than `errno` says, or empty.
    package var detail = ""

    /// For people: "cannot connect to unix:/run/a.sock: Connection refused (ECONNREFUSED)".
    package var description: String {
        "cannot \(step.rawValue) \(address): \(detail.isEmpty ? errno.description : detail)"
    }
}

/// A listening socket, and the address that it really has.
package struct Listening: ~Copyable, Sendable {
    /// With the port that was chosen where 0 was asked for.
    package let address: SocketAddress
    private var descriptor: Descriptor?

    init(address: SocketAddress, descriptor: consuming Descriptor) {
        self.address = address
        self.descriptor = consume descriptor
    }

    /// Hands over the socket; once.
    package mutating func takeDescriptor() -> Descriptor {
        guard let taken = descriptor.take() else { preconditionFailure("the socket was taken") }
        return taken
    }
}

/// Two sockets connected to each other.
package struct SocketPair: ~Copyable, Sendable {
    private var first: Descriptor?
    private var second: Descriptor?

    init(first: consuming Descriptor, second: consuming Descriptor) {
        self.first = consume first
        self.second = consume second
    }

    /// Hands over one side; once.
    package mutating func takeFirst() -> Descriptor {
        guard let taken = first.take() else { preconditionFailure("the first side was taken") }
        return taken
    }

    /// Hands over the other side; once.
    package mutating func takeSecond() -> Descriptor {
        guard let taken = second.take() else { preconditionFailure("the second side was taken") }
        return taken
    }
}

/// Who is on the other side of a Unix socket, as the kernel saw it connect.
package struct PeerCredentials: Hashable, Sendable {
    package let pid: Int32
    package let uid: UInt32
    package let gid: UInt32
}

/// Stream sockets: all close-on-exec and non-blocking.
package enum Sockets {
    /// The next connection; nil: none now. Connections that broke before they were accepted are
    /// skipped. EMFILE and ENFILE leave the connection in the queue, so the listener stays readable:
    /// lose the interest until a descriptor is free.
    package static func accept(_ listener: borrowing Descriptor) throws(Errno) -> Descriptor? {
        let number = listener.number
        while true {
            do throws(Errno) {
                let accepted = try SystemCall.unlessBlocked { el_accept(number) }
                return accepted.map { Descriptor(owning: $0) }
            } catch  where brokenBeforeAccept.contains(error) {
                continue
            }
        }
    }

    /// Linux hands errors that were pending on the new connection to accept (accept(2)).
    private static let brokenBeforeAccept: Set<Errno> = [
        Errno(ECONNABORTED), Errno(EPROTO), Errno(ENOPROTOOPT), Errno(ENETDOWN),
        Errno(ENETUNREACH), Errno(EHOSTDOWN), Errno(EHOSTUNREACH), Errno(ENONET),
        Errno(ETIMEDOUT), Errno(ECONNRESET),
    ]

    /// Two sockets connected to each other.
    package static func pair() throws(Errno) -> SocketPair {
        var numbers: (Int32, Int32) = (-1, -1)
        try SystemCall.value {
            withUnsafeMutableBytes(of: &numbers) {
                el_socket_pair($0.assumingMemoryBound(to: Int32.self).baseAddress)
            }
        }
        return SocketPair(
            first: Descriptor(owning: numbers.0),
            second: Descriptor(owning: numbers.1),
        )
    }

    /// For a TCP connection: no delay, and a peer that says nothing for `silence` (1 s or more) is asked
    /// whether it is there; one that is gone without a word is noticed in twice that time, 5 s at least.
    /// Nothing elsewhere.
    ///
    /// TCP_USER_TIMEOUT stays off: Linux also ends a connection by it whose peer is there and does not
    /// read, and to do so for as long as it likes is a peer's right.
    package static func tune(
        _ socket: borrowing Descriptor,
        silence: Duration = defaultSilence,
    ) {
        let seconds = Int32(clamping: max(1, silence.components.seconds))
        set(1, SOL_SOCKET, SO_KEEPALIVE, socket)
        let tcp = Int32(IPPROTO_TCP)
        set(1, tcp, TCP_NODELAY, socket)
        set(seconds, tcp, TCP_KEEPIDLE, socket)
        set(max(1, seconds / 4), tcp, TCP_KEEPINTVL, socket)
        set(4, tcp, TCP_KEEPCNT, socket)
    }

    /// After how much silence a TCP peer is asked whether it is there.
    package static let defaultSilence = Duration.seconds(60)

    /// Best effort: a Unix socket has none of these.
    static func set(_ value: Int32, _ level: Int32, _ name: Int32, _ socket: borrowing Descriptor) {
        var value = value
        setsockopt(socket.number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Who is on the other side of a Unix socket.
    package static func peerCredentials(
        _ socket: borrowing Descriptor,
    ) throws(Errno) -> PeerCredentials {
        let number = socket.number
        var peer = el_peer()
        try SystemCall.value { el_peer_credentials(number, &peer) }
        return PeerCredentials(pid: peer.pid, uid: peer.uid, gid: peer.gid)
    }

    /// Who is on the other side, for logs: "tcp:10.0.0.7:51312" or "unix:pid=12,uid=0".
    package static func peerName(_ socket: borrowing Descriptor) -> String {
        let number = socket.number
        let raw = try? RawAddress { address, length in posix(getpeername(number, address, &length))
        }
        guard let raw else { return "nobody" }
        if raw.family == AF_UNIX, let peer = try? peerCredentials(socket) {
            return "unix:pid=\(peer.pid),uid=\(peer.uid)"
        }
        return raw.numeric?.description ?? "unknown"
    }

    /// Whether what was sent by TCP is not all with the other machine yet. A Unix socket delivers at once.
    package static func hasUndelivered(_ socket: borrowing Descriptor) -> Bool {
        el_undelivered_bytes(socket.number) > 0
    }

    /// Tells the other side that nothing more comes; reading goes on. Fine where it is gone.
    package static func shutdownWrites(_ socket: borrowing Descriptor) {
        shutdown(socket.number, Int32(SHUT_WR))
    }
}
