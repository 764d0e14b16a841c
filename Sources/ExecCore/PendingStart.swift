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

    private struct State {
        var waiting: [@Sendable (ExecError?) -> Void] = []
        /// Why there is no exec, in the end.
        var refusal: ExecError?
        var isOver = false
    }

    init(on loop: EventLoop) { self.loop = loop }

    /// Calls `body` once the start has come to its end: now, or on the loop. Its exec runs or has exited then;
    /// with an error there is none. Any thread.
    func whenOver(_ body: @escaping @Sendable (ExecError?) -> Void) {
        let refusal: ExecError?? = state.withLock { state in
            if state.isOver { return .some(state.refusal) }
            state.waiting.append(body)
            return nil
        }
        if let refusal { body(refusal) }
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
        let waiting = state.withLock { state in
            state.isOver = true
            state.refusal = refusal
            defer { state.waiting = [] }
            return state.waiting
        }
        for tell in waiting { tell(refusal) }
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

    /// Where its start is under way, calls `body` once that has come to its end: on some loop, or now. It
    /// runs or has exited then; with an error there is no such exec. Any thread.
    ///
    /// False: no start is under way, and `body` is not called.
    package func whenStarted(_ body: @escaping @Sendable (ExecError?) -> Void) -> Bool {
        guard let start = pendingStart else { return false }
        start.whenOver(body)
        return true
    }

    /// The client that has started it left before it could view it: as if it had left after that.
    package func starterLeft() {
        if info.viewers == 0 { controller?.lastViewerLeft() }
    }
}
