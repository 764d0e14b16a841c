internal import ExecModel
internal import Kernel

/// The life of one process, from its start to its exit, as a value: events in, actions out. It
/// holds no descriptor, reads no clock and sends no signal; `ProcessController` does that for it.
///
///     running ──stop──▶ stopping ──grace──▶ killed
///        │                 │                  │
///        └───── the process is gone ──────────┘
///                          ▼
///                      draining ──both pipes at their end, or the drain time──▶ exited
struct ProcessLifecycle {
    enum Event {
        case stop(StopCause, grace: Duration)
        case passed(Deadline)
        case streamAtEnd(ExecStream)
        /// The process is gone, and this is how.
        case gone(ProcessEnd)
        /// The process is gone, and how can't be told.
        case goneUnobserved(String)
    }

    enum Action: Equatable {
        case signalGroup(Int32)
        case arm(Deadline, Duration)
        case disarm(Deadline)
        case tellStopping
        case tellEnded(code: Int32, signal: Int32)
        case tellExit(Exit)
    }

    enum Deadline: Hashable, CaseIterable { case timeout, grace, drain }

    private enum State {
        case running
        case stopping(StopCause)
        case killed(StopCause)
        case draining(Exit)
        case exited
    }

    private var state = State.running
    private var openStreams: Set<ExecStream>
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

    /// Whether whatever is left of the process's group is to be killed before it is collected.
    var leavesNothingBehind: Bool {
        switch state {
        case .stopping, .killed: true
        case .running, .draining, .exited: false
        }
    }

    /// Whether the process is there to be signalled.
    var isAlive: Bool {
        switch state {
        case .running, .stopping, .killed: true
        case .draining, .exited: false
        }
    }

    /// What to do right after the start.
    func begin() -> [Action] { timeout.map { [.arm(.timeout, $0)] } ?? [] }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .stop(let cause, let grace): stop(cause, grace)
        case .passed(let deadline): passed(deadline)
        case .streamAtEnd(let stream): streamAtEnd(stream)
        case .gone(let end): gone(ending(for: end))
        case .goneUnobserved(let why):
            gone(Exit(code: 255, reason: .runtimeError, cause: cause, message: why))
        }
    }

    private var cause: StopCause {
        switch state {
        case .stopping(let cause), .killed(let cause): cause
        case .running, .draining, .exited: .unspecified
        }
    }

    private mutating func stop(_ cause: StopCause, _ grace: Duration) -> [Action] {
        switch state {
        case .running:
            guard grace > .zero else {
                state = .killed(cause)
                return [.disarm(.timeout), .tellStopping, .signalGroup(Signals.kill)]
            }
            state = .stopping(cause)
            return [
                .disarm(.timeout), .tellStopping, .signalGroup(stopSignal), .arm(.grace, grace),
            ]
        case .stopping:
            // Somebody asks again: the first cause stays, and the later grace counts from now.
            return grace > .zero ? [.arm(.grace, grace)] : passed(.grace)
        case .draining(let exit):
            // The process is gone; who asks now does not want to wait for what holds its pipes.
            return [.disarm(.drain)] + finish(exit, drained: false)
        case .killed, .exited:
            return []
        }
    }

    private mutating func passed(_ deadline: Deadline) -> [Action] {
        switch (deadline, state) {
        case (.timeout, .running):
            return stop(.timeout, grace)
        case (.grace, .stopping(let cause)):
            state = .killed(cause)
            return [.disarm(.grace), .signalGroup(Signals.kill)]
        case (.drain, .draining(let exit)):
            return finish(exit, drained: false)
        default:
            // It passed while its reason went away.
            return []
        }
    }

    private mutating func streamAtEnd(_ stream: ExecStream) -> [Action] {
        openStreams.remove(stream)
        guard case .draining(let exit) = state, openStreams.isEmpty else { return [] }
        return [.disarm(.drain)] + finish(exit, drained: true)
    }

    private mutating func gone(_ exit: Exit) -> [Action] {
        let disarm = [Action.disarm(.timeout), .disarm(.grace)]
        if openStreams.isEmpty { return disarm + finish(exit, drained: true) }
        state = .draining(exit)
        return disarm + [
            .arm(.drain, drain), .tellEnded(code: exit.code, signal: exit.signal),
        ]
    }

    private mutating func finish(_ exit: Exit, drained: Bool) -> [Action] {
        state = .exited
        var exit = exit
        exit.drained = drained
        return [.tellExit(exit)]
    }

    private func ending(for end: ProcessEnd) -> Exit {
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
        if case .killed = state, end.signal == Signals.kill {
            exit.reason = .forcedKill
            exit.message = "it had not ended when its grace was over, and was killed"
        }
        return exit
    }
}
