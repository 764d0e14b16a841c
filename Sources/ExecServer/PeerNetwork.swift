internal import Kernel

/// What one user's connections have in common: the key by which unauthenticated peers are counted.
///
/// The address of an IPv4 peer, the first 64 bits of an IPv6 one, the user ID behind a Unix socket. All
/// loopback addresses are one network: every local user has 16 million of them.
struct PeerNetwork: Hashable, Sendable {
    /// For log lines: `10.0.0.7`, `loopback`, `unix:uid=1000`.
    let name: String
    let isLoopback: Bool

    /// - Parameter peer: as `Sockets.peerName` names it.
    init(ofPeer peer: String) {
        if peer.hasPrefix("unix:") {
            name = peer.split(separator: ",").last.map { "unix:\($0)" } ?? peer
            isLoopback = false
            return
        }
        let network = SocketAddress.network(ofPeer: peer)
        isLoopback =
            network.hasPrefix("127.") || network == "::1" || network.hasPrefix("::ffff:127.")
        name = isLoopback ? "loopback" : network
    }
}
