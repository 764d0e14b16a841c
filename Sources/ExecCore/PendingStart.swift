internal import ExecModel
internal import Kernel
internal import Synchronization

/// What runs an exec here.
enum ExecRunner {
    /// Its publisher runs it, or it never ran.
    case none
    /// Its process is being made.
    case starting(PendingStart)
    case running(ProcessController)
}

/// The start of an exec that is under way: who waits for it, and who has asked meanwhile that it end.
final class PendingStart: @unchecked Sendable {
    // Unchecked: what is not under the lock is touched on `loop` only.
    let loop: EventLoop
    private let state = Mutex(State())
    private var ticket: (any StartTicket)?
    /// The first stop that came, with its grace.
    private(set) var stopRequest: (cause: StopCause, grace: Duration?)?

    /// What a waiter is there for.
    enum Kind: Sendable {
        /// It views the exec then, or accounts for it. Whoever hands it in bounds how many there are.
        case view
        /// It does something to the exec then: at most `controlsMax` for one start.
        case control
    }

    /// How many may wait to do something to the exec.
    static let controlsMax = 1_024
    /// How many are told in one step; the rest goes on behind what the loop has to do meanwhile.
    static let toldAtOnceMax = 256

    private struct State {
        var views = StartWaiters()
        var controls = StartWaiters()
        /// Why there is no exec, in the end.
        var refusal: ExecError?
        var isOver = false
    }

    private enum Entered { case waits(UInt64), full, over(ExecError?) }

    init(on loop: EventLoop) { self.loop = loop }

    /// Calls `body` once the start has come to its end: now (then nil is returned), or on the loop. Its exec
    /// runs or has exited then; with an error there is none. Any thread.
    ///
    /// Throws RESOURCE_EXHAUSTED where as many wait as may.
    func whenOver(
        _ kind: Kind,
        _ body: @escaping @Sendable (ExecError?) -> Void,
    ) throws(ExecError) -> StartWait? {
        let entered = state.withLock { state -> Entered in
            if state.isOver { return .over(state.refusal) }
            switch kind {
            case .view: return .waits(state.views.add(body))
            case .control:
                guard state.controls.count < Self.controlsMax else { return .full }
                return .waits(state.controls.add(body))
            }
        }
        switch entered {
        case .waits(let number): return StartWait(self, kind, number)
        case .over(let refusal):
            body(refusal)
            return nil
        case .full:
            throw ExecError(
                .resourceExhausted,
                "\(Self.controlsMax) signals wait for the exec's start already",
            )
        }
    }

    /// Takes a waiter out; false: it has been told, or has left. Any thread.
    func leave(_ kind: Kind, _ number: UInt64) -> Bool {
        state.withLock { state in
            switch kind {
            case .view: state.views.leave(number)
            case .control: state.controls.leave(number)
            }
        }
    }

    /// Ends the start: its program does not run, or is stopped where it does already. `otherwise` is called
    /// where the start has come to its end before. Any thread.
    func stop(
        _ cause: StopCause,
        grace: Duration?,
        otherwise: @escaping @Sendable () -> Void,
    ) {
        loop.execute { [self] in
            if state.withLock({ $0.isOver }) { return otherwise() }
            if stopRequest == nil { stopRequest = (cause, grace) }
            ticket?.revoke("it was stopped before it ran")
        }
    }

    /// The start has begun. On the loop, before it can come to its end.
    func begun(_ ticket: any StartTicket) { self.ticket = ticket }

    /// The start has come to its end. On the loop, once.
    func over(_ refusal: ExecError? = nil) {
        ticket = nil
        state.withLock { state in
            state.isOver = true
            state.refusal = refusal
        }
        tellViews(refusal)
        // All at once: what is asked of the exec from now on comes after them. Each only posts a job.
        for tell in state.withLock({ $0.controls.take(Self.controlsMax) }) { tell(refusal) }
    }

    private func tellViews(_ refusal: ExecError?) {
        let (told, isDone) = state.withLock { state in
            (state.views.take(Self.toldAtOnceMax), state.views.count == 0)
        }
        for tell in told { tell(refusal) }
        if !isDone { loop.execute { [self] in tellViews(refusal) } }
    }
}

extension ExecInstance {
    /// What runs it here; nil: nothing does (yet).
    var controller: ProcessController? {
        if case .running(let controller) = runner.withLock({ $0 }) { controller } else { nil }
    }

    private var pendingStart: PendingStart? {
        if case .starting(let start) = runner.withLock({ $0 }) { start } else { nil }
    }

    /// The loop that its start is under way on; nil: no start is.
    var startingOn: EventLoop? { pendingStart?.loop }

    /// What came of `whenStarted`.
    package enum Starting: Sendable {
        /// No start is under way, and nothing is called.
        case no
        /// It has just come to its end, and the body was called.
        case over
        /// The body is called later, unless the place is given up.
        case waits(StartWait)
    }

    /// Where its start is under way, calls `body` once that has come to its end: on some loop, or now. It
    /// runs or has exited then; with an error there is no such exec. Any thread.
    package func whenStarted(_ body: @escaping @Sendable (ExecError?) -> Void) -> Starting {
        // Only those who do something to the exec can be too many.
        (try? whenStarted(.view, body)) ?? .no
    }

    func whenStarted(
        _ kind: PendingStart.Kind,
        _ body: @escaping @Sendable (ExecError?) -> Void,
    ) throws(ExecError) -> Starting {
        guard let start = pendingStart else { return .no }
        return try start.whenOver(kind, body).map { .waits($0) } ?? .over
    }

    /// The client that has started it left before it could view it: as if it had left after that.
    package func starterLeft() {
        if info.viewers == 0 { controller?.lastViewerLeft() }
    }
}
