internal import Glibc

extension SocketAddress {
    /// What peers have in common that one user can come from: of "tcp:10.0.0.7:51312" the address, of
    /// an IPv6 one its first 64 bits, since whoever has one of these has them all.
    package static func network(ofPeer peer: String) -> String {
        guard case .tcp(let host, _)? = try? SocketAddress(parsing: peer) else { return peer }
        var address = in6_addr()
        guard host.utf8.contains(UInt8(ascii: ":")), inet_pton(AF_INET6, host, &address) == 1 else {
            return host
        }
        let prefix = withUnsafeBytes(of: address) { Array($0.prefix(8)) }
        // Loopback, and IPv4 in disguise: there is no network to take apart.
        guard prefix.contains(where: { $0 != 0 }) else { return host }
        return prefix.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
