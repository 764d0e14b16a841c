public import ExecModel
internal import Wire

/// One look at one exec: its output and its exit come as ``events``, stdin goes in.
///
/// Output that nobody takes is held up to the view's window and then waits at the server; the exec
/// and everybody else go on. The window is granted again as events are taken.
///
/// When the connection breaks, the session comes back by itself: it attaches after the last chunk it
/// has seen, so no byte is lost or doubled, for up to ``ClientOptions/resumeLimit``. A start that was
/// not answered is sent again; the server joins it with the first, so the command runs once.
///
/// A session that is closed, cancelled or let go of says to the server that it sends no more (an exec
/// that was reading its stdin sees the end of it), and is granted no more output; once no call is
/// left on the connection that anybody waits for, that is closed too, and the server knows that the
/// viewer has gone. What a view without a window still sends meanwhile is dropped.
public final class Session: Sendable {
    /// The exec.
    public let key: ExecKey
    private let runtime: ClientRuntime
    private let driver: Promised<SessionDriver>
    private let mailbox: Mailbox<SessionEvent>
    private let window: SharedWindow

    /// Begins at once.
    init(_ plan: SessionPlan, runtime: ClientRuntime) {
        key = plan.key
        self.runtime = runtime
        let mailbox = Mailbox<SessionEvent>()
        let window = SharedWindow(of: plan.view)
        let driver = Promised<SessionDriver>()
        self.mailbox = mailbox
        self.window = window
        self.driver = driver
        let isRunning = runtime.execute { core in
            let made = SessionDriver(core: core, request: plan, mailbox: mailbox, window: window)
            driver.set(made, on: core.loop)
            made.open()
        }
        if !isRunning { mailbox.finish(.failure(.clientClosed)) }
    }

    deinit { close() }

    /// What the server tells, in order; ends after the exit, or throws. One consumer at a time.
    ///
    /// A cancelled consumer gets CANCELLED, and the session is closed. DATA_LOSS: a chunk is missing,
    /// or the exit's totals are not those of what came. ABORTED: the server ended the session before
    /// the exit. NOT_FOUND, after a break: the server came back and does not know the exec any more.
    public var events: Events { Events(session: self) }

    /// Takes all events that are left, and answers the exit; nil: the view ended without one.
    @discardableResult
    public func exit() async throws(ExecError) -> Exit? {
        var exit: Exit?
        var iterator = events.makeAsyncIterator()
        while let event = try await iterator.next(isolation: nil) {
            if case .exit(let told) = event { exit = told }
        }
        return exit
    }

    /// Sends stdin. Returns when all of it has been handed to the connection, which the exec's appetite
    /// decides: at most what it has credit for is on its way.
    ///
    /// ABORTED, once after a break: how much of what was sent before it arrived can't be known. These
    /// bytes were not sent; or in part, where the cause is ``StdinPartlySent``.
    /// FAILED_PRECONDITION: the session is over. A cancelled task gets CANCELLED at once; a part may
    /// have been sent.
    public func send(_ bytes: [UInt8]) async throws(ExecError) {
        try await ask { driver, done in driver.send(bytes, done: done) }
    }

    /// Tells the exec that its stdin has ended, again after each break; of a terminal, types the
    /// end-of-file character, once. Fails as ``send(_:)`` does.
    public func closeStdin() async throws(ExecError) {
        try await ask { driver, done in driver.closeStdin(done: done) }
    }

    /// Gives the exec's terminal another size; what is 0 in it stays as it is. Returns when that has been
    /// handed to a connection, or a later call has taken its place while there was none. It is not
    /// repeated after a break: what the size is then is told by ``SessionEvent/resized(_:)``.
    ///
    /// An exec without a terminal, or a size over 65,535, ends the session with the server's error.
    public func resize(to size: WindowSize) async throws(ExecError) {
        try await ask { driver, done in driver.control(.resize(size), done: done) }
    }

    /// Signals the exec's process group, or its first process only, on the way its start took, and so
    /// surely after it. Returns when that has been handed to a connection; for an answer from the
    /// server there is ``ExecClient/signal(_:_:)``.
    public func signal(_ signal: SignalRequest) async throws(ExecError) {
        try await ask { driver, done in driver.control(.signal(signal), done: done) }
    }

    /// Ends the session; the exec goes on or not as its on-disconnect says. Events that wait are lost,
    /// and whoever waits for one gets CANCELLED.
    public func close() {
        let driver = driver
        let isRunning = runtime.execute { core in driver.value(on: core.loop)?.abandon() }
        if !isRunning { mailbox.finish(.failure(.clientClosed), discarding: true) }
    }

    private func ask(
        _ what: @escaping @Sendable (SessionDriver, Promise<Void>) -> Void,
    ) async throws(ExecError) {
        if Task.isCancelled { throw .callerCancelled }
        let done = Promise<Void>()
        let driver = driver
        let isRunning = runtime.execute { core in
            if let driver = driver.value(on: core.loop) { what(driver, done) }
        }
        if !isRunning { done.settle(.failure(.clientClosed)) }
        try await done.value { [runtime] in
            runtime.execute { core in driver.value(on: core.loop)?.cancelSend(done) }
        }
    }

    fileprivate func next() async throws(ExecError) -> SessionEvent? {
        let event: SessionEvent?
        do throws(ExecError) {
            event = try await mailbox.next()
        } catch {
            close()
            throw error
        }
        if case .output(let output) = event, window.consumed(output.bytes.count) {
            let driver = driver
            runtime.execute { core in driver.value(on: core.loop)?.grantCredit() }
        }
        return event
    }
}

extension Session {
    /// A session's events. Holds the session.
    public struct Events: AsyncSequence, Sendable {
        /// One event.
        public typealias Element = SessionEvent
        /// The library's error.
        public typealias Failure = ExecError

        fileprivate let session: Session

        /// Takes events from where the last consumer stopped.
        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(session: session) }

        /// Takes events one at a time.
        public struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let session: Session

            /// The next event; waits for it. Nil after the end.
            public mutating func next(
                isolation actor: isolated (any Actor)?,
            ) async throws(ExecError) -> SessionEvent? {
                try await session.next()
            }
        }
    }
}
