internal import ExecClient
internal import ExecModel
internal import Kernel

/// One process as a script has it. The loop's thread only.
///
/// Its session is taken from for as long as there is room for output, or somebody waits for what is
/// still to come; otherwise output waits at the server.
final class ScriptProcess: @unchecked Sendable {
    // Unchecked: its tasks run on the script's loop, where all calls come from.
    let number: Int64
    let key: ExecKey
    let place: Place
    /// It was there before: it is only watched, and goes on when the script ends.
    let isAttached: Bool
    let scheduler: Scheduler
    let ledger: ExecLedger
    var phase: Phase
    /// The script has closed it, or has waited for it.
    var isClosed = false
    /// No script can name it any more.
    var isForgotten = false
    var hasTerminal: Bool
    var takesStdin: Bool
    /// What was asked for, and may be closed since.
    var streams: [ExecStream: StreamState] = [:]
    var output = ProcessOutput()
    private(set) var session: Session?
    /// What takes these for an exec that is only watched: the watching session must not.
    private var stdinSession: Session?
    private var beginning: (waiter: Waiter, answer: Answer)?
    private var exitWaiters: [Waiter] = []
    private var isPumping = false
    private var isSettled = false
    /// Called once when it has ended and nobody can name it any more.
    var gone: (() -> Void)?

    /// Output on its way to one process. What a process holds is this, and `ProcessOutput.bytesMax`.
    static let windowBytes: UInt64 = 512 << 10
    /// How long the server lets a process run whose script is gone; a session may come back until
    /// then.
    private static let orphanMS: UInt64 = 30_000

    var isNew: Bool {
        if case .made = phase { return true }
        return false
    }

    var isOver: Bool {
        if case .over = phase { return true }
        return false
    }

    /// Where it stands.
    enum Phase {
        /// Not started.
        case made(Command)
        /// Asked for.
        case beginning
        case running
        /// How it ended, or why that is not known.
        case over(Result<Exit, ExecError>)
    }

    /// A stream that was asked for.
    struct StreamState {
        var isClosed = false
        /// A coroutine that waits for output, and how much it takes.
        var reader: (waiter: Waiter, max: Int)?
        var follower: Follower?
        /// The follower is being read.
        var isFollowing = false
    }

    /// A process; with a command it is to be started, without one it exists.
    init(
        _ number: Int64,
        _ key: ExecKey,
        _ command: Command?,
        at place: Place,
        scheduler: Scheduler,
        ledger: ExecLedger,
    ) {
        self.number = number
        self.key = key
        self.place = place
        self.scheduler = scheduler
        self.ledger = ledger
        isAttached = command == nil
        hasTerminal = command?.terminal != nil
        takesStdin = command.map { $0.stdin || $0.terminal != nil } ?? true
        phase = command.map { .made($0) } ?? .beginning
    }

    /// Starts the process, or attaches to it; the coroutine gets `answer` once it is there.
    func begin(answering answer: Answer, in thread: LuaThread) -> Answer {
        var view = View()
        view.windowBytes = Self.windowBytes
        view.readOnly = isAttached
        if case .made(let command) = phase {
            ledger.began(key, at: place)
            let end = OnDisconnect(stop: true, afterMS: Self.orphanMS)
            session = place.client.run(key, command, view: view, onDisconnect: end)
        } else {
            session = place.client.attach(key, view: view)
        }
        phase = .beginning
        beginning = (scheduler.suspend(in: thread, isAttached ? "attach" : "start"), answer)
        pump()
        return .suspend
    }

    /// `wait`: for the exit. What is left of streams that were asked for can still be read after it.
    func wait(in thread: LuaThread) -> Answer {
        if case .over(let result) = phase {
            isClosed = true
            settle()
            return result.waited
        }
        exitWaiters.append(scheduler.suspend(in: thread, "wait"))
        pump()
        return .suspend
    }

    /// `close`: asks it to end, and does not wait for that. What was only watched is let go.
    func close(force: Bool) {
        isClosed = true
        switch phase {
        case .made, .over: break
        case .beginning, .running:
            guard !isAttached else {
                session?.close()
                break
            }
            let (client, key, graceMS) = (place.client, key, place.resource.graceMS)
            scheduler.background {
                // What fails here is tried again when the script ends.
                if force {
                    _ = try? await client.signal(key, SignalRequest(Signals.kill))
                } else {
                    _ = try? await client.stop(key, graceMS: graceMS)
                }
            }
        }
        pump()
        settle()
    }

    /// Its unit has ended, or nobody can name it any more: nobody reads its output.
    func forget() {
        isForgotten = true
        for stream in ExecStream.allCases { closeStream(stream) }
        pump()
        settle()
    }

    /// The session that takes stdin and sizes.
    func input() -> Session? {
        guard isAttached else { return session }
        if let stdinSession { return stdinSession }
        var view = View()
        view.from = .live
        let made = place.client.attach(key, view: view)
        stdinSession = made
        // Taken to its end: until then it does not tell that nobody reads stdin any more.
        scheduler.background { _ = try? await made.exit() }
        return made
    }
}

// MARK: - Taking events

extension ScriptProcess {
    /// Goes on taking events, if there is a reason to.
    func pump() {
        guard !isPumping, wantsMore, let session else { return }
        isPumping = true
        scheduler.background { [self] in
            await take(from: session)
            isPumping = false
        }
    }

    private var wantsMore: Bool {
        switch phase {
        case .made, .over: false
        case .beginning: true
        case .running:
            output.hasRoom || !exitWaiters.isEmpty || isClosed || isForgotten
                || streams.values.contains { $0.reader != nil }
        }
    }

    private func take(from session: Session) async {
        var events = session.events.makeAsyncIterator()
        do throws(ExecError) {
            while wantsMore {
                guard let event = try await events.next(isolation: nil) else {
                    throw ExecError(.aborted, "the session ended before the exit")
                }
                happened(event)
            }
        } catch {
            ended(.failure(error))
        }
    }

    private func happened(_ event: SessionEvent) {
        switch event {
        case .ready(let ready): begun(ready.info)
        case .output(let chunk):
            output.add(chunk, isAwaited: streams[chunk.stream]?.reader != nil)
            serve(chunk.stream)
        case .exit(let exit): ended(.success(exit))
        // A view that catches up has gaps only where the server could not write its log, or where
        // that has a limit.
        case .gap(let gap):
            ended(.failure(.outputLost("\(gap.stdoutBytes) + \(gap.stderrBytes)")))
        default: break
        }
    }

    private func begun(_ info: ExecInfo) {
        if let exit = info.exit, exit.reason == .startFailed { return ended(.success(exit)) }
        if isAttached { hasTerminal = info.tty }
        phase = .running
        if let (waiter, answer) = beginning.take() { scheduler.resume(waiter, answer) }
    }

    private func ended(_ result: Result<Exit, ExecError>) {
        phase = .over(result)
        if case .failure = result { session?.close() }
        if let (waiter, _) = beginning.take() {
            isClosed = true
            // One that was refused does not exist. Of one that got no answer it is not known.
            if case .failure(let error) = result, !error.leavesOpen { ledger.ended(key) }
            scheduler.resume(waiter, .raise(result.startFailure))
        }
        let waiters = exitWaiters
        exitWaiters = []
        // To wait closes the process.
        if !waiters.isEmpty { isClosed = true }
        for waiter in waiters { scheduler.resume(waiter, result.waited) }
        for stream in ExecStream.allCases { serve(stream) }
        stdinSession?.close()
        settle()
    }

    /// Forgets the exec at the server, once it has exited and nobody can ask for its output any more.
    func settle() {
        if isForgotten, isNew || isOver { gone.take()?() }
        guard case .over(let result) = phase, isClosed || isForgotten, !isSettled else { return }
        let needsLog = ExecStream.allCases.contains { stream in
            guard let state = streams[stream], !state.isClosed else { return false }
            return output.isBehind(stream) && state.follower?.hasEnded != true
        }
        if needsLog { return }
        isSettled = true
        // Where the end is not known, the ledger sees to it when the script ends.
        guard !isAttached, case .success = result else { return }
        if place.resource.keepsExited { return ledger.ended(key) }
        let (client, key, ledger) = (place.client, key, ledger)
        scheduler.background {
            guard (try? await client.remove(key)) != nil else { return }
            ledger.ended(key)
        }
    }
}

extension ExecError {
    /// Whether what was asked for may have been done all the same.
    fileprivate var leavesOpen: Bool { [.unavailable, .cancelled, .aborted].contains(code) }
}
