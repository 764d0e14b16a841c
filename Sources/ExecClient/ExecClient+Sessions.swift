public import ExecModel

extension ExecClient {
    /// Starts an exec, or joins it where the same one runs already, and views it.
    ///
    /// Begins at once; whether it worked, and how it went, is told by the session's events. A start
    /// that is repeated never runs a command twice. ALREADY_EXISTS: there is an exec of that name,
    /// with another command. A view's window of 0 is that of ``ClientOptions``. Without
    /// `onDisconnect` the exec goes on when all its viewers have gone.
    public func run(
        _ key: ExecKey,
        _ command: Command,
        view: View = View(),
        onDisconnect: OnDisconnect? = nil,
    ) -> Session {
        session(
            SessionPlan(key: key, command: command, view: view, onDisconnect: onDisconnect),
        )
    }

    /// Views an exec that exists, running or exited. A view's window of 0 is that of
    /// ``ClientOptions``.
    public func attach(_ key: ExecKey, view: View = View()) -> Session {
        session(SessionPlan(key: key, command: nil, view: view, onDisconnect: nil))
    }

    private func session(_ plan: SessionPlan) -> Session {
        var plan = plan
        if plan.view.windowBytes == 0 { plan.view.windowBytes = max(1, options.windowBytes) }
        if plan.view.windowChunks == 0 { plan.view.windowChunks = options.windowChunks }
        return Session(plan, runtime: runtime)
    }
}
