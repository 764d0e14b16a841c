internal import ExecModel
package import Kernel

/// Where a client's token comes from. A connection asks for it when it is made: after the TLS handshake,
/// where there is one, and before anything is sent.
package enum ClientToken: Sendable {
    /// None is shown.
    case none
    /// The caller says that it is this server's.
    case given(String)
    /// The token of a server that runs on this machine, looked up for the address, in numbers, that the
    /// connection was made to; nil: that is not known to be this server's, and none is shown.
    case lookedUp(@Sendable (SocketAddress) -> String?)

    /// The token for a connection to `peer`.
    func value(for peer: SocketAddress) -> String {
        switch self {
        case .none: ""
        case .given(let token): token
        case .lookedUp(let find): find(peer) ?? ""
        }
    }

    /// Why the token must not go to these addresses without TLS: everybody in between could read it.
    /// Nil: it may. All addresses of a name count, as any of them may be the one that answers.
    func refusal(of candidates: [SocketAddress], for address: SocketAddress) -> ExecError? {
        guard case .given(let token) = self, !token.isEmpty,
            !candidates.allSatisfy(Sockets.isLocal)
        else { return nil }
        return ExecError(
            .failedPrecondition,
            "refusing to send the token to \(address) without TLS: it is no loopback address; use TLS"
                + " (--tls-ca FILE or --tls), or allow plain TCP (--insecure)",
        )
    }
}
