internal import ExecModel
internal import Kernel
internal import Wire

// Who calls: the connection's peer, once it has shown a token, or whoever a call's own metadata names.

extension Connection {
    /// Wrong tokens of single calls whose answers are held back at once. While there are so many, a call's
    /// token is not looked at unless it was right on this connection before.
    static let heldCallsMax = 8
    /// Tokens of single calls that are kept with their callers.
    static let knownCallersMax = 64

    /// The peer has presented a token with the call `id`; nil: the connection is not admitted, the call is
    /// over, and the peer is told why after a while.
    func present(token: String, with method: Method, _ id: UInt32) -> Caller? {
        let generation = authenticator.generation
        let grant = authenticator.grant(to: token)
        let verdict = admission.present(grant)
        guard let grant else {
            refuseToken(with: method, id, isLast: verdict == .closed)
            return nil
        }
        do throws(ExecError) {
            let caller = Caller(grant, generation: generation, on: self)
            try admit(caller)
            return caller
        } catch {
            complain { turnedAway(method, error) }
            fail(id, error)
            closing = .afterWriting
            return nil
        }
    }

    /// The peer is known from here on. Throws RESOURCE_EXHAUSTED where there are as many of its kind as
    /// there may be.
    func admit(_ caller: Caller) throws(ExecError) {
        try caller.account.addConnection()
        guard context.authenticated(self) else {
            caller.account.removeConnection()
            throw ExecError(
                .resourceExhausted,
                "the server has \(context.options.connectionsMax) authenticated connections, "
                    + "the most it may have"
            )
        }
        became(caller)
    }

    private func refuseToken(with method: Method, _ id: UInt32, isLast: Bool) {
        let error = ExecError(.unauthenticated, "the token is not right")
        complain {
            if isLast {
                context.log.warning("wrong token, closing", ["peer": peer])
            } else {
                context.log.warning("wrong token", ["peer": peer])
            }
            turnedAway(method, error)
        }
        if isLast { closing = .afterWriting }
        let delay = authenticator.penalty(of: network)
        guard context.holdAnswer(to: network) else {
            // As many are held back as may be: this one takes no place.
            closing = .afterWriting
            return fail(id, error)
        }
        hold(id, error, for: delay)
    }

    /// Who makes a call whose metadata has `authorization`, on a connection that is admitted. Nil: the
    /// token is wrong; the call is over, and the peer is told so after a while. Throws UNAUTHENTICATED for
    /// what is no token, and RESOURCE_EXHAUSTED where too many wrong ones wait for their answers.
    func caller(
        presenting token: String,
        with method: Method,
        _ id: UInt32,
    ) throws(ExecError) -> Caller? {
        if let known = knownCallers[token], known.refresh() { return known }
        guard heldCalls.count < Self.heldCallsMax else {
            throw ExecError(
                .resourceExhausted,
                "\(Self.heldCallsMax) answers to wrong tokens are held back on this connection; "
                    + "retry later"
            )
        }
        let generation = authenticator.generation
        if let grant = authenticator.grant(to: token) {
            let caller = Caller(grant, generation: generation, on: self)
            if knownCallers.count >= Self.knownCallersMax { knownCallers = [:] }
            knownCallers[token] = caller
            return caller
        }
        let error = ExecError(.unauthenticated, "the token of this call is not right")
        complain {
            context.log.warning("wrong token", ["peer": peer])
            turnedAway(method, error)
        }
        holdCall(id, error, for: authenticator.penalty(of: network))
        return nil
    }

    /// An unauthenticated peer has called `method` without a token.
    func unauthenticatedCall(of method: Method, _ error: ExecError) {
        if admission.isFirstUnauthenticatedCall() { complain { turnedAway(method, error) } }
    }

    /// Writes lines that an unauthenticated peer causes, or counts that they were left out.
    func complain(_ write: () -> Void) {
        context.limitedLog.write(about: network, on: loop, write)
    }

    /// Writes down that a peer, who called `method`, was not let in.
    private func turnedAway(_ method: Method, _ error: ExecError) {
        context.audit.entry(Action(method), .everything, by: "unknown", from: peer).tell(error)
    }

    /// The tokens have changed: what has lost its right ends. On the loop.
    func reviewRights() {
        guard let caller, caller.refresh() else { return }
        for stream in streams.all { stream.reviewRights() }
    }

    /// The token of `lost` is gone. That of the peer itself ends the connection.
    func lost(_ lost: Caller) {
        guard lost === caller else { return }
        context.log.info("token is gone", ["who": lost.identity.name, "peer": peer])
        close("its token is gone")
    }
}
