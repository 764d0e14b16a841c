public import ExecModel
internal import Wire

extension ExecClient {
    /// What happens to the execs of one container, or of all.
    ///
    /// Comes back by itself after a break, after the last event it has seen, for up to
    /// ``ClientOptions/resumeLimit``. A consumer that is 1,000 events or 16 MiB of them behind loses the newest, and
    /// ``LifecycleEvent/missed`` of the next one says how many. Before the first event there is no place
    /// to come back to: what happens during a break is then not told.
    ///
    /// OUT_OF_RANGE, after a break: it is another server, or the same one started anew. Begin again, and
    /// list the execs.
    /// `afterSequence` is the last event that was seen; 0: only what comes from now on.
    public func containerEvents(
        _ container: String? = nil,
        afterSequence: UInt64 = 0,
    ) -> ContainerEvents {
        let request = ContainerLifecycleRequest(
            containerID: container ?? "",
            afterSequence: afterSequence,
        )
        return ContainerEvents(subscription: Subscription(request, runtime: runtime))
    }
}

/// Events of containers, in order. Ends only by an error or by letting go of it; a cancelled consumer
/// gets CANCELLED. One consumer at a time.
public struct ContainerEvents: AsyncSequence, Sendable {
    /// One event.
    public typealias Element = LifecycleEvent
    /// The library's error.
    public typealias Failure = ExecError

    fileprivate let subscription: Subscription

    /// Takes events from where the last consumer stopped.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(subscription: subscription) }

    /// Takes events one at a time.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let subscription: Subscription

        /// The next event; waits for it.
        public mutating func next(
            isolation actor: isolated (any Actor)?,
        ) async throws(ExecError) -> LifecycleEvent? {
            guard let next = try await subscription.mailbox.next() else { return nil }
            subscription.held.remove(next.bytes)
            return next.event
        }
    }
}

/// The caller's end of a subscription; letting go of it ends it.
private final class Subscription: Sendable {
    let mailbox = Mailbox<HeldEvent>()
    let held = HeldBytes()
    private let runtime: ClientRuntime
    private let driver = Promised<EventsDriver>()

    init(_ request: ContainerLifecycleRequest, runtime: ClientRuntime) {
        self.runtime = runtime
        let (mailbox, held, driver) = (mailbox, held, driver)
        let isRunning = runtime.execute { core in
            let made = EventsDriver(core: core, request: request, mailbox: mailbox, held: held)
            driver.set(made, on: core.loop)
            made.open()
        }
        if !isRunning { mailbox.finish(.failure(.clientClosed)) }
    }

    deinit {
        let driver = driver
        runtime.execute { core in driver.value(on: core.loop)?.abandon() }
    }
}
