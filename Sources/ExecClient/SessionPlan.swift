internal import ExecModel
internal import Synchronization

/// What one session was asked to be.
struct SessionPlan: Sendable {
    /// The exec.
    var key: ExecKey
    /// What to start; nil: it exists.
    var command: Command?
    /// How to look at it; its window is never 0.
    var view: View
    /// What becomes of the exec without clients.
    var onDisconnect: OnDisconnect?
}

/// A session's credit window, between the loop, which delivers, and the caller, who consumes.
final class SharedWindow: Sendable {
    private let state: Mutex<CreditWindow>

    /// A window of this size.
    init(of view: View) {
        let window = CreditWindow(windowBytes: view.windowBytes, windowChunks: view.windowChunks)
        state = Mutex(window)
    }

    /// Output is on its way to the caller.
    func delivered(_ count: Int) throws(ExecError) {
        try state.withLock { window throws(ExecError) in try window.delivered(count) }
    }

    /// Output came that the caller has already. True: it is time to grant credit.
    func dropped(_ count: Int) throws(ExecError) -> Bool {
        try state.withLock { window throws(ExecError) in
            try window.delivered(count)
            return window.consumed(count)
        }
    }

    /// The caller has consumed output. True: it is time to grant credit.
    func consumed(_ count: Int) -> Bool { state.withLock { $0.consumed(count) } }

    /// A message that is no output has come. True: it is time to grant credit.
    func acknowledged() -> Bool { state.withLock { $0.acknowledged() } }

    /// The credit to grant now.
    func takeCredit() -> CreditWindow.Amount { state.withLock { $0.takeCredit() } }

    /// The window for the next view of the same session.
    func resume() -> CreditWindow.Amount { state.withLock { $0.resumed() } }
}

extension View {
    /// The same view from another place, with another window.
    init(_ view: View, from: From, window: CreditWindow.Amount) {
        self = view
        self.from = from
        windowBytes = window.bytes
        windowChunks = window.chunks
    }
}

extension Gap {
    /// Folds this gap into an event that waits where that is the gap just before it.
    func merge(into event: inout SessionEvent) -> Mailbox<SessionEvent>.Merge {
        guard case .gap(var before) = event else { return event.mayBeOvertaken }
        guard before.lastSequence < .max, before.lastSequence + 1 == firstSequence else {
            return .stop
        }
        before.lastSequence = lastSequence
        before.stdoutBytes = before.stdoutBytes.saturatingAdd(stdoutBytes)
        before.stderrBytes = before.stderrBytes.saturatingAdd(stderrBytes)
        event = .gap(before)
        return .merged
    }
}

extension SessionEvent {
    /// Whether the search for an event to fold a new one into goes on before this one. Of each kind but
    /// output so at most one waits between two chunks, whatever a server sends.
    var mayBeOvertaken: Mailbox<SessionEvent>.Merge {
        switch self {
        case .output, .exit: .stop
        case .ready, .gap, .ended, .state, .resized, .resumed: .lookFurther
        }
    }
}
