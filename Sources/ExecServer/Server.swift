public import ExecCore
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
    private let context: ServerContext
    private let state = Mutex(State.made)

    private enum State {
        case made
        case started([Listener])
        case over
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
        context = ServerContext(
            registry: registry,
            host: LocalProcessHost(baseEnvironment: options.baseEnvironment),
            options: options,
            loops: group.loops,
        )
    }

    /// Listens on all addresses; returns them as they really are, with the ports that were chosen.
    /// Throws INVALID_ARGUMENT or FAILED_PRECONDITION, and then listens on none. Called once.
    public func start() throws(ExecError) -> [String] {
        let authenticator = Authenticator(token: options.token, ownUser: ownUserID())
        var listeners: [Listener] = []
        do throws(ExecError) {
            for text in options.listen {
                listeners.append(try listener(on: text, authenticator))
            }
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
        for listener in listeners { listener.begin() }
        let sweeper = group.loops[0]
        sweeper.execute { [self] in scheduleSweep(on: sweeper) }
        let addresses = listeners.map { $0.address.description }
        state.withLock { $0 = .started(listeners) }
        return addresses
    }

    /// Ends the server: no new connections; every exec is stopped (with `grace`, else with its own),
    /// every viewer gets its exit. Returns when all is quiet. The second call does nothing.
    public func shutDown(grace: Duration? = nil) async {
        let last = state.withLock { state in
            defer { state = .over }
            return state
        }
        guard case .started(let listeners) = last else { return }
        for listener in listeners { listener.close() }
        await stopAll(grace)
        await context.closeConnections(within: Self.farewellTime, timer: group.loops[0])
        registry.removeExited()
        group.shutdown()
    }

    /// Kills what a `shutDown` is waiting for.
    public func hurry() { stop(registry.instances(), .zero) }

    private func stopAll(_ grace: Duration?) async {
        // A start that was under way may still come after the first look.
        while true {
            let running = registry.instances().filter { $0.exit == nil }
            if running.isEmpty { return }
            stop(running, grace)
            for instance in running { _ = try? await instance.waitForExit() }
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

    private func listener(
        on text: String,
        _ authenticator: Authenticator,
    ) throws(ExecError) -> Listener {
        let address: SocketAddress
        do throws(AddressError) {
            address = try SocketAddress(parsing: text)
        } catch {
            throw ExecError(.invalidArgument, error.message)
        }
        do throws(SocketFailure) {
            return Listener(
                try Sockets.listen(on: address),
                authenticator: authenticator,
                context: context,
                loop: group.loops[0],
                nextLoop: { [group] in group.next() },
            )
        } catch {
            throw ExecError(.failedPrecondition, error.description, cause: error)
        }
    }

    private func scheduleSweep(on loop: EventLoop) {
        loop.schedule(after: registry.configuration.sweepInterval) { [weak self] in
            guard let self else { return }
            let count = registry.sweep()
            if count > 0 { options.log.debug("swept", ["execs": "\(count)"]) }
            scheduleSweep(on: loop)
        }
    }
}
