internal import ExecModel
internal import Synchronization

/// Joins a callback to a task that waits: opened once, by the exit or by cancellation (nil).
final class ExitGate: Sendable {
    private enum State {
        case closed
        case waiting(CheckedContinuation<Exit?, Never>)
        case open(Exit?)
    }

    private let state = Mutex(State.closed)

    /// The first call counts.
    func open(_ exit: Exit?) {
        let continuation = state.withLock { state -> CheckedContinuation<Exit?, Never>? in
            switch state {
            case .open: return nil
            case .closed:
                state = .open(exit)
                return nil
            case .waiting(let continuation):
                state = .open(exit)
                return continuation
            }
        }
        continuation?.resume(returning: exit)
    }

    /// Waits until it is open. Called once.
    func exit() async -> Exit? {
        await withCheckedContinuation { continuation in
            let opened: Exit?? = state.withLock { state in
                if case .open(let exit) = state { return .some(exit) }
                state = .waiting(continuation)
                return nil
            }
            if let opened { continuation.resume(returning: opened) }
        }
    }
}
