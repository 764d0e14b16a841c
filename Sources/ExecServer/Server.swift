public import ExecCore
public import ExecModel
internal import Kernel
internal import Synchronization

/// Serves a registry over the wire.
///
/// Make it, `start` it, and `shutDown` when it is to end: then no new connection is taken, every
/// exec is stopped, every viewer gets its exit, and all threads and sockets are gone when the call
/// returns. The registry is the caller's: it may register execs of its own in it at any time.
public final class ExecServer: Sendable {
    /// The execs that are served.
    public let registry: ExecSessionRegistry
    private let options: ServerOptions
    private let group: EventLoopGroup
    private let host: LocalProcessHost
    let context: ServerContext
    private let listeners: ListenerController
    private let state = Mutex(State())

    private struct State {
        var lifecycle = ServerLifecycle()
        var waiters: [Waiter] = []
    }

    private struct Waiter {
        let isMet: @Sendable (ServerLifecycle) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    /// How long viewers may take to read their last bytes when the server ends.
    private static let farewellTime = Duration.seconds(5)

    /// Makes a server; nothing happens before `start`.
    public init(registry: ExecSessionRegistry, options: ServerOptions) throws(ExecError) {
        self.registry = registry
        self.options = options
        do throws(Errno) {
            let count = options.loopCount > 0 ? options.loopCount : min(Processors.count, 8)
            group = try EventLoopGroup(count: count, name: "execstream")
        } catch {
            throw ExecError(.resourceExhausted, "no event loop can be made: \(error)")
        }
        host = LocalProcessHost(options.processes)
        context = ServerContext(
            registry: registry,
            host: host,
            options: options,
            loops: group.loops,
        )
        listeners = ListenerController(context: context, group: group)
    }

    /// Listens on all addresses; returns them as they really are, with the ports that were chosen.
    /// Throws INVALID_ARGUMENT or FAILED_PRECONDITION, and then listens on none and is over. Called once.
    public func start() throws(ExecError) -> [String] {
        step { $0.begin() }
        tell(.starting)
        do throws(ExecError) {
            try context.access.load()
            try context.audit.open()
            try takeOrphans()
            endLeftovers()
            try context.tls.load()
            let addresses = try listeners.start(options.listen, context.access)
            let sweeper = group.loops[0]
            let interval = registry.configuration.sweepInterval
            sweeper.execute { [self] in scheduleSweep(after: interval, on: sweeper) }
            tell(.started(addresses))
            step { $0.started() }
            return addresses
        } catch {
            // The first listener may have let somebody in before the next one failed.
            context.abandonConnections("the server could not start")
            group.shutdown()
            host.close(collectingOrphans: options.collectsOrphans)
            tell(.failed(error))
            step { $0.ended() }
            throw error
        }
    }

    /// Ends the server: no new connections and no new execs; every exec is stopped (with `grace`, else
    /// with its own), every viewer gets its exit, and what execs had left running is killed. Returns
    /// when all is quiet, also where somebody else has asked before.
    public func shutDown(grace: Duration? = nil) async {
        while true {
            switch state.withLock({ $0.lifecycle.stop() }) {
            case .begin: return await end(grace)
            case .waitForStart: await wait { $0.isSettled }
            case .waitForEnd: return await wait()
            }
        }
    }

    /// Returns when the server is over: all is quiet after a `shutDown`, or it could not start.
    public func wait() async { await wait { $0.isOver } }

    private func end(_ grace: Duration?) async {
        tell(.stopping)
        context.refuseStarts()
        await listeners.stop()
        await stopAll(grace)
        await context.closeConnections(within: Self.farewellTime, timer: group.loops[0])
        // A start that had been let in before may have come to its end only now.
        await stopAll(.zero)
        registry.removeExited()
        context.limitedLog.tellLeftOut()
        group.shutdown()
        host.close(collectingOrphans: options.collectsOrphans)
        tell(.stopped)
        step { $0.ended() }
    }

    private func wait(until isMet: @escaping @Sendable (ServerLifecycle) -> Bool) async {
        await withCheckedContinuation { waiter in
            let isNow = state.withLock { state in
                let isNow = isMet(state.lifecycle)
                if !isNow { state.waiters.append(Waiter(isMet: isMet, continuation: waiter)) }
                return isNow
            }
            if isNow { waiter.resume() }
        }
    }

    /// Changes the state, and tells those who wait for what it is then.
    private func step(_ change: (inout ServerLifecycle) -> Void) {
        let met = state.withLock { state in
            change(&state.lifecycle)
            let met = state.waiters.filter { $0.isMet(state.lifecycle) }.map(\.continuation)
            state.waiters.removeAll { $0.isMet(state.lifecycle) }
            return met
        }
        for waiter in met { waiter.resume() }
    }

    /// Kills what a `shutDown` is waiting for.
    public func hurry() { stop(registry.instances(), .zero) }

    private func tell(_ event: ServerEvent) {
        switch event {
        case .starting: options.log.info("starting")
        case .started(let addresses):
            options.log.info("started", ["addresses": addresses.joined(separator: " ")])
        case .stopping: options.log.info("stopping")
        case .stopped: options.log.info("stopped")
        // Told to whoever called `start`, and by that to people.
        case .failed: break
        }
        options.onEvent(event)
    }

    private func takeOrphans() throws(ExecError) {
        guard options.collectsOrphans else { return }
        do throws(Errno) {
            try Subreaper.enable()
            let loop = group.loops[0]
            try loop.perform { [host] () throws(Errno) in
                // The loop keeps it for as long as it runs.
                _ = try SignalSource([Signals.childEnded], on: loop) { _ in host.collectOrphans() }
            }
        } catch {
            throw ExecError(.failedPrecondition, "orphans can't be had: \(error)", cause: error)
        }
    }

    private func endLeftovers() {
        let left = host.endLeftovers()
        guard left > 0 else { return }
        options.log.warning("ended what an earlier server had left", ["processes": "\(left)"])
    }

    private func stopAll(_ grace: Duration?) async {
        // A start that was under way may still come after the first look.
        while true {
            let running = registry.instances().filter { $0.exit == nil }
            if running.isEmpty { return }
            stop(running, grace)
            for instance in running {
                // Also where the caller's task is cancelled: what was begun is brought to its end.
                await withCheckedContinuation { continuation in
                    instance.onExit { _ in continuation.resume() }
                }
            }
        }
    }

    private func stop(_ instances: [ExecInstance], _ grace: Duration?) {
        for instance in instances where instance.exit == nil {
            do throws(ExecError) {
                try instance.stop(.shutdown, grace: grace)
            } catch {
                // Its publisher runs it, and can't tell us any more.
                instance.finish(
                    Exit(
                        code: 255,
                        reason: .runtimeError,
                        cause: .shutdown,
                        message: "the server ended before its publisher told the exit",
                    )
                )
            }
        }
    }

    private func scheduleSweep(after time: Duration, on loop: EventLoop) {
        loop.schedule(after: time) { [weak self] in
            guard let self else { return }
            let count = registry.sweep(atMost: Self.sweptAtOnce)
            if count > 0 { options.log.debug("swept", ["execs": "\(count)"]) }
            // More may have expired; but that is no reason to keep the loop from its connections.
            let isThrough = count < Self.sweptAtOnce
            scheduleSweep(after: isThrough ? registry.configuration.sweepInterval : .zero, on: loop)
        }
    }

    /// Each may have files to delete.
    private static let sweptAtOnce = 8
}
