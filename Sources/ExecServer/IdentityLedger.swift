internal import Kernel
internal import Synchronization

/// The accounts of all identities, by name: a handful of users, and at most as many tokens as a file may
/// have. Any thread.
final class IdentityLedger: Sendable {
    private let limits: IdentityLimits
    private let loops: [EventLoop]
    private let accounts = Mutex<[String: IdentityAccount]>([:])

    /// At this many, those of names that are not in use are dropped.
    private static let accountsMax = 2 * AccessPolicy.entriesMax

    init(_ limits: IdentityLimits, loops: [EventLoop]) {
        (self.limits, self.loops) = (limits, loops)
    }

    func account(of identity: Identity) -> IdentityAccount {
        accounts.withLock { accounts in
            if let account = accounts[identity.name] { return account }
            if accounts.count >= Self.accountsMax {
                accounts = accounts.filter { !$0.value.isIdle }
            }
            let account = IdentityAccount(identity.name, limits, loops: loops)
            accounts[identity.name] = account
            return account
        }
    }
}
