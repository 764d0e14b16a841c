package import ExecModel
package import Kernel
internal import Synchronization

/// What came of a start.
package struct StartOutcome {
    package var instance: ExecInstance
    /// It existed already, with the same command: nothing was started.
    package var joined: Bool
}

extension ExecSessionRegistry {
    /// Starts an exec on `loop` (call it there), or joins it where the same command has been started
    /// under this key before: a retried start never runs a command twice. Never waits: the exec is PENDING
    /// until its program runs, and `ExecInstance.whenStarted` tells when that is.
    ///
    /// A command that can't be run is no error here: its instance exits with START_FAILED. Throws
    /// INVALID_ARGUMENT, ALREADY_EXISTS for another command, RESOURCE_EXHAUSTED, and
    /// FAILED_PRECONDITION where an earlier server's log has its place. For limits that can't be had here
    /// `whenStarted` tells FAILED_PRECONDITION, and the exec is removed.
    package func start(
        _ key: ExecKey,
        _ command: Command,
        onDisconnect: OnDisconnect = OnDisconnect(),
        host: any ProcessHost,
        loop: EventLoop,
    ) throws(ExecError) -> StartOutcome {
        try command.check(logBytesMin: configuration.logBytesMin)
        // A joiner needs no instance of its own: look before one is made.
        if let existing = try? instance(key) { return try join(existing, command) }
        let instance = make(key, command: command, labels: command.labels)
        // Before anybody can find it: whoever stops it or shuts down meanwhile has to know of its start.
        let pending = PendingStart(on: loop)
        instance.runner.withLock { $0 = .starting(pending) }
        if case .found(let existing) = try enter(instance) { return try join(existing, command) }
        instance.report(.registered)
        let ticket = host.start(command, as: key, on: loop) { [self] result in
            started(instance, command, onDisconnect, pending, result)
        }
        pending.begun(ticket)
        return StartOutcome(instance: instance, joined: false)
    }

    /// A start has come to its end.
    private func started(
        _ instance: ExecInstance,
        _ command: Command,
        _ onDisconnect: OnDisconnect,
        _ pending: PendingStart,
        _ result: consuming StartResult,
    ) {
        switch consume result {
        case .success(var hosted):
            let controller = ProcessController(
                &hosted,
                instance: instance,
                command: command,
                onDisconnect: onDisconnect,
                configuration: configuration,
                loop: pending.loop,
            )
            instance.runner.withLock { $0 = .running(controller) }
            instance.started(pid: controller.pid)
            controller.begin()
            if let stop = pending.stopRequest { controller.stop(stop.cause, grace: stop.grace) }
            pending.over()
        case .failure(let failure):
            instance.runner.withLock { $0 = .none }
            instance.finish(
                Exit(
                    code: failure.code,
                    reason: .startFailed,
                    cause: pending.stopRequest?.cause ?? .unspecified,
                    message: failure.message,
                )
            )
            guard failure.isRefusal else { return pending.over() }
            // Nobody is to find it any more.
            _ = try? remove(instance.key)
            pending.over(ExecError(.failedPrecondition, failure.message))
        }
    }

    private func join(
        _ instance: ExecInstance,
        _ command: Command,
    ) throws(ExecError) -> StartOutcome {
        guard instance.command?.digest == CommandDigest(command) else {
            throw ExecError(
                .alreadyExists,
                "\(instance.key) exists already, and was not started with this command",
            )
        }
        return StartOutcome(instance: instance, joined: true)
    }
}
