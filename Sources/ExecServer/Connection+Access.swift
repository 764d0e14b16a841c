internal import ExecModel
internal import Wire

/// Who is asked before anything is done, and what is written down of it.
extension Connection {
    /// Whether the peer may do more than look on, as its token was when it was last looked up.
    var hasControl: Bool { (admission.identity?.role ?? .view) >= .run }

    /// Whether the peer may do more than look on now.
    var mayControl: Bool { refreshAdmission() && hasControl }

    /// Whether the peer may see execs of this container.
    func covers(_ containerID: String) -> Bool { admission.identity?.covers(containerID) ?? false }

    /// Throws PERMISSION_DENIED, which is written down, where the peer may not do this.
    func authorize(_ action: Action, on target: Target) throws(ExecError) {
        let error: ExecError?
        if refreshAdmission(), let identity = admission.identity {
            error = identity.refusal(of: action, on: target)
        } else {
            error = ExecError(.unauthenticated, "the token is not right any more")
        }
        guard let error else { return }
        entry(action, target).tell(error)
        throw error
    }

    /// Does what is to be written down: `body` tells the entry what came of it, and what it throws is
    /// told here.
    func audited<Result>(
        _ action: Action,
        on target: Target,
        _ body: (AuditEntry) throws(ExecError) -> Result,
    ) throws(ExecError) -> Result {
        let entry = entry(action, target)
        do throws(ExecError) {
            return try body(entry)
        } catch {
            entry.tell(error)
            throw error
        }
    }

    /// Writes down that a stranger, who called `method`, was not let in.
    func turnedAway(_ method: Method, _ error: ExecError) {
        entry(Action(method), .everything).tell(error)
    }

    private func entry(_ action: Action, _ target: Target) -> AuditEntry {
        context.audit.entry(
            action,
            target,
            by: admission.identity?.name ?? "unknown",
            from: peer
        )
    }
}
