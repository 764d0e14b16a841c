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
    /// under this key before: a retried start never runs a command twice.
    ///
    /// A command that can't be run is no error here: its instance exits with START_FAILED. Throws
    /// INVALID_ARGUMENT, ALREADY_EXISTS for another command, RESOURCE_EXHAUSTED, and
    /// FAILED_PRECONDITION for limits that can't be had here, or where an earlier server's log has its
    /// place.
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
        // Held from before anybody can find it until it has its controller: who joins, stops or
        // shuts down meanwhile waits for that.
        let start = try instance.controller.withLock { (slot) throws(ExecError) -> Start in
            if case .found(let existing) = try enter(instance) { return .joined(existing) }
            do throws(StartFailure) {
                var hosted = try host.start(command, as: key)
                let controller = ProcessController(
                    &hosted,
                    instance: instance,
                    command: command,
                    onDisconnect: onDisconnect,
                    configuration: configuration,
                    loop: loop,
                )
                slot = controller
                return .running(controller)
            } catch {
                return .failed(error)
            }
        }
        if case .joined(let existing) = start { return try join(existing, command) }
        instance.report(.registered)
        switch start {
        case .running(let controller):
            instance.started(pid: controller.pid)
            controller.begin()
        case .failed(let failure):
            instance.finish(
                Exit(code: failure.code, reason: .startFailed, message: failure.message)
            )
            if failure.isRefusal {
                // Who has joined meanwhile has its exit; nobody else is to find it.
                _ = try? remove(key)
                throw ExecError(.failedPrecondition, failure.message)
            }
        case .joined:
            preconditionFailure("returned above")
        }
        return StartOutcome(instance: instance, joined: false)
    }

    private enum Start {
        case running(ProcessController)
        case failed(StartFailure)
        case joined(ExecInstance)
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
