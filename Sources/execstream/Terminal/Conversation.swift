internal import ExecClient
internal import ExecModel
internal import Glibc
internal import Kernel
internal import Synchronization

/// An exec's terminal on the user's: from Ready on what is typed goes to the exec as it is, the size
/// follows the user's, and the detach keys leave. The user's terminal is restored before anything is
/// said that is not the exec's.
///
/// Where stdin is no terminal, or the exec is on none, stdin is sent as a file would be.
final class Conversation: Sendable {
    private let session: Session
    private let console: Console
    private let input: Input
    private let terminal: UserTerminal?
    private let sizes: SizeFollower?
    private let typing = Typing()
    private let gate: Mutex<ReplayGate>
    private let hasDetached = Atomic(false)
    /// Told once, at Ready: whether keys are sent, or a file.
    private let sendsKeys = AsyncStream.makeStream(of: Bool.self)
    /// Told once, when the terminal was asked whether it has shown the past.
    private let asked = AsyncStream.makeStream(of: Void.self)

    /// The signals that it is to be given.
    static let signals =
        Signals.heeded([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) + [SIGWINCH, SIGCONT]
    /// How long what was typed before the detach keys may take to be sent.
    private static let sendingMax = Duration.seconds(1)
    /// How long the terminal may take to answer.
    private static let answeringMax = Duration.seconds(1)

    /// Begins at the session's Ready. Without a terminal stdin is sent as a file in any case.
    init(
        _ session: Session,
        from: View.From,
        _ context: Context,
        terminal: UserTerminal?,
    ) {
        self.session = session
        console = context.console
        input = context.input
        self.terminal = terminal
        sizes = terminal.map { SizeFollower($0, session) }
        gate = Mutex(ReplayGate(from: from))
    }

    /// Follows the session until its end, or until the user leaves; answers the program's code.
    func follow(_ printer: SessionPrinter) async throws(Failure) -> Int32 {
        try await withSignals(Self.signals, heed: { [self] in heed($0) }) { () throws(Failure) in
            try await converse(printer)
        }
    }

    private func converse(_ printer: SessionPrinter) async throws(Failure) -> Int32 {
        let code: Int32
        do throws(Failure) {
            code = try await firstCode { group in
                group.addTask { [self] in
                    var printer = printer
                    return try await printer.follow(session, before: before, after: after)
                }
                group.addTask { [self] in try await read() }
                group.addTask { [self] in try await typing.send(to: session) }
                group.addTask { [self] in await sizes?.follow() }
                group.addTask { [self] in await waitForAnswer() }
            }
        } catch {
            restore(midLine: true)
            throw error
        }
        let isLeft = hasDetached.load(ordering: .relaxed)
        restore(midLine: isLeft)
        if isLeft { console.complain(farewell) }
        return code
    }

    private var farewell: String {
        "left \(session.key); come back with: execstream attach -i \(session.key)"
    }

    // MARK: What the exec does

    private func before(_ event: SessionEvent) throws(Failure) {
        switch event {
        case .ready(let ready): try begin(ready)
        case .exit: restore()
        default: break
        }
    }

    private func after(_ event: SessionEvent) {
        guard gate.withLock({ $0.shown(event) }) else { return }
        if console.isRaw.load(ordering: .relaxed), console.isTerminal {
            try? console.write(ReplayGate.question)
            asked.continuation.yield()
        } else {
            gate.withLock { $0.open() }
        }
    }

    /// One that does not know the question is not waited for.
    private func waitForAnswer() async -> Int32? {
        for await _ in asked.stream {
            try? await Task.sleep(for: Self.answeringMax)
            gate.withLock { $0.open() }
        }
        return nil
    }

    private func begin(_ ready: SessionEvent.Ready) throws(Failure) {
        guard let terminal, ready.info.tty, ready.info.exit == nil else {
            sendsKeys.continuation.yield(false)
            return
        }
        do throws(Errno) {
            try terminal.makeRaw()
        } catch {
            throw Failure("the terminal on stdin can't be made raw: \(error)")
        }
        console.isRaw.store(true, ordering: .relaxed)
        if let window = ready.info.window { sizes?.begin(at: window) }
        sendsKeys.continuation.yield(true)
    }

    /// - Parameter midLine: what is said next is to begin a line, and the exec's may not have ended.
    private func restore(midLine: Bool = false) {
        guard let terminal, console.isRaw.exchange(false, ordering: .relaxed) else { return }
        terminal.restore()
        if midLine, console.isTerminal { try? console.print("\n") }
    }

    // MARK: What the user does

    private func read() async throws -> Int32? {
        for await keys in sendsKeys.stream {
            return keys ? try await readKeys() : try await Stdin.pump(input, into: session, console)
        }
        return nil
    }

    private func readKeys() async throws -> Int32? {
        var keys = DetachKeys()
        while let bytes = try await input.next() {
            let outcome = keys.take(bytes)
            await typing.put(gate.withLock { $0.take(outcome.bytes) })
            guard outcome.isDetach else { continue }
            hasDetached.store(true, ordering: .relaxed)
            typing.finish()
            // Sending what is left ends everything; where that takes long, this does.
            try await Task.sleep(for: Self.sendingMax)
            return 0
        }
        if Task.isCancelled { return nil }
        throw Failure("the terminal on stdin is gone; \(farewell)")
    }

    /// A signal has come. May end the program: at once, as what it is writing may never be taken.
    private func heed(_ number: Int32) {
        switch number {
        case SIGWINCH:
            sizes?.changed()
        case SIGCONT:
            // Whoever had the terminal meanwhile may have changed it.
            guard console.isRaw.load(ordering: .relaxed) else { break }
            try? terminal?.makeRaw()
            // Unless it was just restored for good.
            if !console.isRaw.load(ordering: .relaxed) { terminal?.restore() }
            sizes?.changed()
        default:
            let wasRaw = console.isRaw.exchange(false, ordering: .relaxed)
            terminal?.restore()
            console.leave(saying: wasRaw ? farewell : "", midLine: true) { [terminal] in
                // The exec may just have begun.
                terminal?.restore()
                Signals.die(of: number)
            }
        }
    }
}
