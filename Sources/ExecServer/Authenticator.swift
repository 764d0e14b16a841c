internal import ExecModel
internal import Kernel

/// Who may talk to the server: on a Unix socket the server's own user and root; on TCP whoever
/// presents the token.
struct Authenticator: Sendable {
    private let token: [UInt8]?
    private let ownUser: UInt32

    init(token: String?, ownUser: UInt32) {
        self.token = token.map { Array($0.utf8) }
        self.ownUser = ownUser
    }

    func admits(_ credentials: PeerCredentials) -> Bool {
        credentials.uid == ownUser || credentials.uid == 0
    }

    /// Compares in a time that depends on nothing but the length of what was presented.
    func admits(token presented: String) -> Bool {
        guard let token, !token.isEmpty else { return false }
        var difference: UInt8 = token.count == presented.utf8.count ? 0 : 1
        for (index, byte) in presented.utf8.enumerated() {
            difference |= byte ^ token[index % token.count]
        }
        return difference == 0
    }

    /// The token in a call's metadata, where it has one: `authorization: Bearer TOKEN`.
    static func bearerToken(_ authorization: String) -> String? {
        let scheme = "Bearer "
        guard authorization.utf8.count > scheme.utf8.count,
            authorization.prefix(scheme.count).lowercased() == scheme.lowercased()
        else { return nil }
        return String(authorization.dropFirst(scheme.count))
    }
}
