package import ExecModel
internal import Kernel
internal import Synchronization

/// From its start to its end, and what is told about it on the way.
extension ExecInstance {
    /// Its process runs.
    func started(pid: Int32) {
        let unixNS = clocks.unixNS
        let parked = state.withLock { state in
            state.info.pid = pid
            state.info.startedUnixNS = unixNS
            state.enter(.running, unixNS: unixNS)
            return state.parked.takeAll()
        }
        observer?.instance(self, did: .started)
        for viewer in parked { viewer?.wake() }
    }

    /// Its processes were frozen, or let go on.
    func paused(_ isPaused: Bool) {
        let unixNS = clocks.unixNS
        let parked = state.withLock { state in
            state.enter(isPaused ? .paused : .running, unixNS: unixNS)
            return state.parked.takeAll()
        }
        observer?.instance(self, did: isPaused ? .paused : .resumed)
        for viewer in parked { viewer?.wake() }
    }

    /// Its process has ended, and something still holds its pipes.
    func isDraining(after ended: Ended) {
        let parked = state.withLock { state in
            state.ended = ended
            return state.parked.takeAll()
        }
        for viewer in parked { viewer?.wake() }
    }

    /// The one place where an exit becomes known. The totals and times are filled in here.
    @discardableResult
    package func finish(_ ending: Exit) -> Exit {
        let unixNS = clocks.unixNS
        var exit = ending.normalized()
        let (failure, readFailure, trimFailure) = tee.withLock { tee in
            tee.seal()
            exit.lastSequence = tee.lastSequence
            exit.stdoutBytes = tee.offsets.stdout
            exit.stderrBytes = tee.offsets.stderr
            return (tee.failure, tee.readFailure, tee.trimmer.failure)
        }
        if let readFailure {
            exit.addMessage("its output was not read to the end: \(readFailure)")
        }
        if let failure { exit.addMessage("the log is not complete: \(failure)") }
        if let trimFailure {
            exit.addMessage("the log could not be kept within its limit: \(trimFailure)")
        }
        if exit.finishedUnixNS == 0 { exit.finishedUnixNS = unixNS }
        let told = state.withLock { state -> Told? in
            guard state.info.exit == nil else { return nil }
            exit.startedUnixNS = state.info.startedUnixNS
            state.info.exit = exit
            state.info.state = .exited
            defer { state.exitWaiters = [:] }
            return Told(parked: state.parked.takeAll(), waiters: Array(state.exitWaiters.values))
        }
        guard let told else { return self.exit ?? exit }
        observer?.instance(self, did: .exited)
        for viewer in told.parked { viewer?.wake() }
        for waiter in told.waiters { waiter(exit) }
        releaseIfIdle()
        return exit
    }

    /// The registry no longer knows it, and its log was forgotten: the files go with the last viewer.
    func removed() {
        // Each holds the other: this is where that ends.
        let controller = controller
        runner.withLock { $0 = .none }
        controller?.close()
        tee.withLock { $0.forget() }
        let isViewed = state.withLock { state in
            state.isRemoved = true
            return state.info.viewers > 0
        }
        if !isViewed { log.delete() }
        observer?.instance(self, did: .unregistered)
    }

    /// Takes over the log of an earlier server's exec, completed where it must be. Nil: there is
    /// nothing in it. Throws where it can't be read now, or is no log.
    func recoverLog() throws(Errno) -> LogRecovery.Outcome? {
        log.takeOver()
        let outcome = try tee.withLock { (tee) throws(Errno) in
            let outcome = try LogRecovery.recover(
                try log.files(),
                trim: try log.readTrim(),
                unixNS: clocks.unixNS
            )
            tee.resume(after: outcome)
            return outcome
        }
        state.withLock { state in
            state.lastSequence = outcome.lastSequence
            state.offsets = outcome.offsets
            state.loggedThrough = outcome.lastSequence
            state.loggedOffsets = outcome.offsets
            state.trim = outcome.trim
            state.waypoints = outcome.waypoints
        }
        return outcome.lastSequence > 0 ? outcome : nil
    }

    func report(_ kind: LifecycleEvent.Kind) { observer?.instance(self, did: kind) }

    private struct Told {
        var parked: [(any Wakeable)?]
        var waiters: [@Sendable (Exit) -> Void]
    }
}

extension Exit {
    /// Adds a sentence to what there is to say.
    mutating func addMessage(_ sentence: String) {
        message = message.isEmpty ? sentence : "\(message); \(sentence)"
    }
}
