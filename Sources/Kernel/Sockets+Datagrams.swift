internal import CLinux
internal import Glibc

extension Sockets {
    /// Sends one datagram to a Unix socket; a path that begins with `@` is an abstract name.
    package static func sendDatagram(_ bytes: [UInt8], to path: String) throws(Errno) {
        var address = sockaddr_un()
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .nameTooLong
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8)
            if target.first == UInt8(ascii: "@") { target[0] = 0 }
        }
        // An abstract name has no terminator: its length is all that ends it.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count)
        let number = Glibc.socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            0
        )
        guard number >= 0 else { throw Errno(errno) }
        let socket = Descriptor(owning: number)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(socket.number, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
        guard sent >= 0 else { throw Errno(errno) }
    }
}
