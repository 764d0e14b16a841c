internal import ExecModel
internal import Kernel
internal import Synchronization
internal import Wire

/// Who may talk to the server: on a Unix socket the server's own user and root; on TCP whoever
/// presents a token that is right now. Any thread.
final class Authenticator: Sendable {
    private let defaultToken: String?
    private let tokensFile: String?
    private let ownUser: UInt32
    private let clocks: any Clocks
    private let policy: Mutex<AccessPolicy>
    private let penalties: Mutex<TokenPenalties>
    private let loads = Atomic<UInt64>(0)

    /// The name of the token that is not in the file.
    private static let defaultName = "default"

    /// `load` reads the file; before that only the default token, which may do everything, is right.
    init(
        token: String?,
        tokensFile: String?,
        wrongTokenDelay: Duration,
        ownUser: UInt32,
        clocks: any Clocks,
    ) {
        defaultToken = token
        self.tokensFile = tokensFile
        self.ownUser = ownUser
        self.clocks = clocks
        policy = Mutex(Self.policy(of: token))
        penalties = Mutex(TokenPenalties(first: wrongTokenDelay))
    }

    /// Takes the tokens that are in the file now. Throws FAILED_PRECONDITION where it can't be used,
    /// and then nothing has changed.
    func load() throws(ExecError) {
        guard let tokensFile else { return }
        var policy = Self.policy(of: defaultToken)
        let bytes: [UInt8]
        do throws(PrivateFileError) {
            bytes = try Files.readPrivate(tokensFile, max: AccessPolicy.fileBytesMax)
        } catch {
            throw Self.unusable(tokensFile, error.description)
        }
        do throws(AccessPolicyError) {
            try policy.add(parsing: bytes)
        } catch {
            throw Self.unusable(tokensFile, error.description)
        }
        self.policy.withLock { $0 = policy }
        loads.add(1, ordering: .sequentiallyConsistent)
    }

    /// Another number whenever the tokens are others. Whoever keeps a grant compares it, and takes the
    /// number before the grant.
    var generation: UInt64 { loads.load(ordering: .sequentiallyConsistent) }

    private static func unusable(_ path: String, _ why: String) -> ExecError {
        ExecError(.failedPrecondition, "can't use the tokens file '\(path)': \(why)")
    }

    /// What the kernel's word on a peer is worth; nil: it is another user.
    func grant(to credentials: PeerCredentials) -> Grant? {
        guard credentials.uid == ownUser || credentials.uid == 0 else { return nil }
        return Grant(identity: Identity(name: "uid:\(credentials.uid)", role: .admin), token: nil)
    }

    /// What a token is worth; nil: it is not right. Takes as long for every token of its length.
    func grant(to token: String) -> Grant? {
        let policy = policy.withLock { $0 }
        return policy.identity(presenting: token).map { Grant(identity: $0, token: token) }
    }

    /// The same peer's grant by the tokens there are now; nil: it is gone.
    func renewed(_ grant: Grant) -> Grant? {
        guard let token = grant.token else { return grant }
        // It was right once: looking it up by its value tells its bearer nothing new.
        let identity = policy.withLock { $0.identity(ofKnown: token) }
        return identity.map { Grant(identity: $0, token: token) }
    }

    /// A wrong token has come from this network. Returns how long the answer is to wait.
    func penalty(of network: PeerNetwork) -> Duration {
        penalties.withLock { $0.add(network.name, at: clocks.now) }
    }

    /// The token in a call's own metadata, `authorization: Bearer TOKEN`; nil: it has none. Throws
    /// UNAUTHENTICATED for anything else under that name, in whichever case it is written: what names a
    /// caller is never passed over.
    static func bearerToken(of request: CallRequest) throws(ExecError) -> String? {
        let values = request.metadata.filter { isAuthorization($0.key) }.map(\.value)
        guard let first = values.first else { return nil }
        guard values.count == 1, let token = bearerToken(first) else {
            throw ExecError(
                .unauthenticated,
                "the metadata authorization must be one value of the form 'Bearer TOKEN'"
            )
        }
        return token
    }

    /// Whether a key is "authorization", in whichever case. Makes no string: there may be many keys.
    private static func isAuthorization(_ key: String) -> Bool {
        let name = "authorization".utf8
        return key.utf8.count == name.count
            && zip(key.utf8, name).allSatisfy { $0 | 0x20 == $1 }
    }

    private static func policy(of token: String?) -> AccessPolicy {
        var policy = AccessPolicy()
        if let token, !token.isEmpty {
            policy.add(Identity(name: defaultName, role: .admin), token: token)
        }
        return policy
    }

    /// The token in a call's metadata, where it has one: `authorization: Bearer TOKEN`.
    private static func bearerToken(_ authorization: String) -> String? {
        let scheme = "Bearer "
        guard authorization.utf8.count > scheme.utf8.count,
            authorization.prefix(scheme.count).lowercased() == scheme.lowercased()
        else { return nil }
        return String(authorization.dropFirst(scheme.count))
    }
}

/// Who is on a connection, and by what: the kernel's word, or a token that was right.
struct Grant: Sendable {
    let identity: Identity
    fileprivate let token: String?
}
