internal import ExecModel
internal import Kernel

/// The life of one exec's process, from its start to its exit, as a value: events in, actions out.
/// It holds no descriptor, reads no clock and sends no signal; `ProcessController` does that for it.
///
///     running ──stop──▶ stopping ──grace──▶ killed
///        │                 │                  │
///        └───── the process is gone ──────────┘
///                          ▼
///                        gone ──its pipes at their end and, after a stop, its offspring too──▶ exited
///                               (or the drain time has passed)
///
/// Four causes stop it (a client, its timeout, its clients' leaving, the server's end), on one path.
struct ProcessLifecycle {
    enum Event {
        case stop(StopCause, grace: Duration)
        case passed(Deadline)
        case streamAtEnd(ExecStream)
        /// The process is gone. `isAlone`: nothing that it has started is left.
        case gone(ProcessEnding, isAlone: Bool)
        /// Nothing that it has started is left (any more).
        case alone
        /// Its processes are frozen now, because somebody asked for it.
        case frozen
        /// They were let go on.
        case thawed
    }

    enum Action: Equatable {
        case signalGroup(Int32)
        /// Hang a terminal up where the process ignores this signal.
        case hangUp(whereIgnored: Int32)
        /// Remember its offspring while the process is there to tell them by.
        case noteOffspring
        /// To what it has started; `sparingGroup`: but for its group, which has had its signal.
        case signalOffspring(Int32, sparingGroup: Bool)
        case killOffspring
        /// Tell `alone` when it is.
        case awaitOffspring
        case thaw
        case arm(Deadline, Duration)
        case disarm(Deadline)
        case tellPaused
        case tellResumed
        case tellStopping
        case tellEnded(code: Int32, signal: Int32)
        case tellExit(Exit)
    }

    enum Deadline: Hashable, CaseIterable { case timeout, grace, drain }

    private enum State {
        case running
        case stopping(StopCause)
        case killed(StopCause)
        case gone(Exit, Offspring)
        case exited
    }

    /// What becomes of what a process leaves behind.
    private enum Offspring {
        /// Nobody asked it to end: it may run on, and only its hold on the pipes is waited for.
        case leftAlone
        /// It has been asked to end.
        case stopping
        case killed
        case none
    }

    private var state = State.running
    private var openStreams: Set<ExecStream>
    private(set) var isPaused = false
    private let stopSignal: Int32
    private let timeout: Duration?
    private let grace: Duration
    private let drain: Duration

    init(
        command: Command,
        defaults: RegistryConfiguration,
        streams: Set<ExecStream> = [.stdout, .stderr],
    ) {
        stopSignal = command.stopSignal == 0 ? Signals.terminate : command.stopSignal
        timeout = command.timeoutMS == 0 ? nil : .milliseconds(Int64(clamping: command.timeoutMS))
        grace =
            command.graceMS == 0
            ? defaults.stopGrace : .milliseconds(Int64(clamping: command.graceMS))
        drain =
            command.drainMS == 0
            ? defaults.drain : .milliseconds(Int64(clamping: command.drainMS))
        openStreams = streams
    }

    /// The grace of a stop that does not name one.
    var defaultGrace: Duration { grace }

    /// Whether somebody has asked it to end.
    var isEnding: Bool {
        switch state {
        case .stopping, .killed, .gone(_, .stopping), .gone(_, .killed), .gone(_, .none): true
        case .running, .gone(_, .leftAlone), .exited: false
        }
    }

    /// Whether the process is there to be signalled.
    var isAlive: Bool {
        switch state {
        case .running, .stopping, .killed: true
        case .gone, .exited: false
        }
    }

    /// Whether it can be frozen: one that is to end must be able to.
    var mayPause: Bool {
        if case .running = state { return true }
        return false
    }

    /// What to do right after the start.
    func begin() -> [Action] { timeout.map { [.arm(.timeout, $0)] } ?? [] }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .stop(let cause, let grace): stop(cause, grace)
        case .passed(let deadline): passed(deadline)
        case .streamAtEnd(let stream): streamAtEnd(stream)
        case .gone(let ending, let isAlone): gone(exit(for: ending), isAlone: isAlone)
        case .alone: alone()
        case .frozen: paused(true)
        case .thawed: paused(false)
        }
    }

    // MARK: Stopping

    private mutating func stop(_ cause: StopCause, _ grace: Duration) -> [Action] {
        switch state {
        case .running where grace > .zero:
            state = .stopping(cause)
            // The signal waits for it where it is frozen; then it is let go on to see to it.
            return [
                .disarm(.timeout), .tellStopping, .noteOffspring, .signalGroup(stopSignal),
                .hangUp(whereIgnored: stopSignal),
            ] + thaw() + [.arm(.grace, grace)]
        case .running:
            return [.disarm(.timeout), .tellStopping, .noteOffspring] + kill(cause)
        case .stopping, .gone(_, .stopping):
            // Somebody asks again: the first cause stays, and the later grace counts from now.
            return grace > .zero ? [.arm(.grace, grace)] : passed(.grace)
        case .gone(let exit, .leftAlone):
            state = .gone(exit, .stopping)
            let ask: [Action] = [
                .disarm(.drain), .signalOffspring(stopSignal, sparingGroup: false),
            ]
            let wait = grace > .zero ? [.arm(.grace, grace)] : passed(.grace)
            return ask + wait + [.awaitOffspring]
        case .exited:
            // What it left behind runs on; whoever stops it now wants that to end.
            return [.killOffspring, .awaitOffspring]
        case .killed, .gone:
            return []
        }
    }

    private mutating func kill(_ cause: StopCause) -> [Action] {
        state = .killed(cause)
        return [.signalGroup(Signals.kill), .killOffspring] + thaw()
    }

    private mutating func thaw() -> [Action] {
        guard isPaused else { return [] }
        isPaused = false
        return [.thaw, .tellResumed]
    }

    private mutating func paused(_ frozen: Bool) -> [Action] {
        // A stop that came meanwhile has seen to it.
        guard case .running = state, isPaused != frozen else { return [] }
        isPaused = frozen
        return [frozen ? .tellPaused : .tellResumed]
    }

    private mutating func passed(_ deadline: Deadline) -> [Action] {
        switch (deadline, state) {
        case (.timeout, .running):
            return stop(.timeout, grace)
        case (.grace, .stopping(let cause)):
            return [.disarm(.grace)] + kill(cause)
        case (.grace, .gone(var exit, .stopping)):
            exit.addMessage("what it had left running was killed")
            state = .gone(exit, .killed)
            return [.disarm(.grace), .killOffspring, .arm(.drain, drain)]
        case (.drain, .gone(var exit, let offspring)):
            if case .killed = offspring {
                exit.addMessage("some of what it had left running could not be ended")
            }
            return finish(exit)
        default:
            // It passed while its reason went away.
            return []
        }
    }

    // MARK: The end

    private mutating func gone(_ exit: Exit, isAlone: Bool) -> [Action] {
        guard isAlive else { return [] }
        let ended = Action.tellEnded(code: exit.code, signal: exit.signal)
        var actions: [Action] = [.disarm(.timeout)]
        // What it leaves behind is nobody's to resume.
        if isPaused { actions.append(.thaw) }
        isPaused = false
        switch state {
        case .stopping where !isAlone:
            // Its group has had the signal, and has what is left of the grace.
            state = .gone(exit, .stopping)
            return actions + [
                ended, .signalOffspring(stopSignal, sparingGroup: true), .awaitOffspring,
            ]
        case .killed where !isAlone:
            state = .gone(exit, .killed)
            return actions + [ended, .killOffspring, .arm(.drain, drain), .awaitOffspring]
        case .stopping, .killed:
            state = .gone(exit, .none)
        default:
            state = .gone(exit, .leftAlone)
        }
        actions.append(.disarm(.grace))
        if openStreams.isEmpty { return actions + finish(exit) }
        return actions + [.arm(.drain, drain), ended]
    }

    private mutating func streamAtEnd(_ stream: ExecStream) -> [Action] {
        openStreams.remove(stream)
        guard openStreams.isEmpty, case .gone(let exit, let offspring) = state else { return [] }
        switch offspring {
        case .leftAlone, .none: return finish(exit)
        case .stopping, .killed: return []
        }
    }

    private mutating func alone() -> [Action] {
        guard case .gone(let exit, let offspring) = state else { return [] }
        switch offspring {
        case .leftAlone, .none: return []
        case .stopping, .killed: state = .gone(exit, .none)
        }
        if openStreams.isEmpty { return finish(exit) }
        // Somebody else was given its pipes.
        return [.disarm(.grace), .arm(.drain, drain)]
    }

    private mutating func finish(_ exit: Exit) -> [Action] {
        state = .exited
        var exit = exit
        exit.drained = openStreams.isEmpty
        return [.disarm(.grace), .disarm(.drain), .tellExit(exit)]
    }

    private var cause: StopCause {
        switch state {
        case .stopping(let cause), .killed(let cause): cause
        case .running, .gone, .exited: .unspecified
        }
    }

    private func exit(for ending: ProcessEnding) -> Exit {
        switch ending {
        case .ended(let end, let limit): exit(for: end, limit)
        case .unknown(let why):
            Exit(code: 255, reason: .runtimeError, cause: cause, message: why)
        }
    }

    private func exit(for end: ProcessEnd, _ limit: String?) -> Exit {
        var exit = Exit(code: end.code ?? 128 + end.signal, reason: .natural, cause: cause)
        exit.signal = end.signal
        exit.coreDumped = end.coreDumped
        exit.usage = Usage(
            userUS: end.usage.userUS,
            systemUS: end.usage.systemUS,
            maxRSSBytes: end.usage.maxRSSBytes,
        )
        guard end.signal != 0 else { return exit }
        exit.reason = .signal
        guard end.signal == Signals.kill else { return exit }
        if case .killed = state {
            exit.reason = .forcedKill
            exit.message = "it had not ended when its grace was over, and was killed"
        } else if let limit {
            exit.cause = .limit
            exit.message = "the kernel killed it: it passed its limit of \(limit)"
        }
        return exit
    }
}
