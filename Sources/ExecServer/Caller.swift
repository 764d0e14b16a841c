internal import ExecCore
internal import ExecModel
internal import Kernel
internal import Wire

/// Who makes a call: the peer of a connection, or whoever a call's own `authorization` names. It is asked
/// before anything is done, and what is written down of a call bears its name.
///
/// Belongs to its connection's loop, and lives no longer than the connection.
final class Caller {
    private unowned let connection: Connection
    private var grant: Grant
    private var generation: UInt64
    private(set) var account: IdentityAccount
    /// The token that the grant came by is not right any more.
    private(set) var isGone = false

    /// `generation` is that of the tokens, from before the grant was looked up.
    init(_ grant: Grant, generation: UInt64, on connection: Connection) {
        self.connection = connection
        self.grant = grant
        self.generation = generation
        account = connection.context.ledger.account(of: grant.identity)
    }

    var identity: Identity { grant.identity }

    /// The tokens have been read again since the caller was last looked up.
    var isStale: Bool { generation != connection.authenticator.generation }

    /// Looks the caller up again where the tokens have changed. False: it is gone, and where it was the
    /// connection's peer, so is the connection.
    @discardableResult
    func refresh() -> Bool {
        let now = connection.authenticator.generation
        guard now != generation, !isGone else { return !isGone }
        generation = now
        guard let renewed = connection.authenticator.renewed(grant) else {
            isGone = true
            connection.lost(self)
            return false
        }
        if renewed.identity.name != grant.identity.name {
            account = connection.context.ledger.account(of: renewed.identity)
        }
        grant = renewed
        return true
    }

    /// Whether the caller may do more than look on, as it was when it was last looked up.
    var hasControl: Bool { identity.role >= .run }

    /// Whether the caller may control this exec now.
    func mayControl(_ key: ExecKey) -> Bool {
        refresh() && hasControl && covers(key.containerID)
    }

    /// Whether the caller may see execs of this container.
    func covers(_ containerID: String) -> Bool { identity.covers(containerID) }

    /// Throws PERMISSION_DENIED or UNAUTHENTICATED, which is written down, where this is not allowed now.
    func authorize(_ action: Action, on target: Target) throws(ExecError) {
        let error: ExecError? =
            refresh() ? identity.refusal(of: action, on: target) : Self.goneError
        guard let error else { return }
        write(error, to: entry(action, target))
        throw error
    }

    /// Does what the audit log records. `body` writes the outcome to the entry; a thrown error is
    /// written here.
    func audited<Result>(
        _ action: Action,
        on target: Target,
        _ body: (AuditEntry) throws(ExecError) -> Result,
    ) throws(ExecError) -> Result {
        let entry = entry(action, target)
        do throws(ExecError) {
            return try body(entry)
        } catch {
            write(error, to: entry)
            throw error
        }
    }

    /// Writes a call that failed. Such calls cost a client nothing, so the number of their lines is limited
    /// for each identity.
    private func write(_ error: ExecError, to entry: AuditEntry) {
        connection.context.limitedLog.write(about: identity, on: connection.loop) {
            entry.tell(error)
        }
    }

    private static let goneError =
        ExecError(.unauthenticated, "the token of this call is not right any more")

    private func entry(_ action: Action, _ target: Target) -> AuditEntry {
        connection.context.audit.entry(action, target, by: identity.name, from: connection.peer)
    }
}
