internal import ExecModel
internal import Synchronization

/// One value that is promised to one waiter; the first to settle it wins, later ones are ignored.
final class Promise<Value: Sendable>: Sendable {
    private let state = Mutex(State.open)

    private enum State {
        case open
        case waiting(CheckedContinuation<Result<Value, ExecError>, Never>)
        case settled(Result<Value, ExecError>)
    }

    /// Gives the value, or the reason why there will be none. Any thread.
    func settle(_ result: Result<Value, ExecError>) {
        let waiter = state.withLock {
            state -> CheckedContinuation<Result<Value, ExecError>, Never>? in
            switch state {
            case .open:
                state = .settled(result)
                return nil
            case .waiting(let continuation):
                state = .settled(result)
                return continuation
            case .settled:
                return nil
            }
        }
        waiter?.resume(returning: result)
    }

    /// Waits for the value. A cancelled task gets CANCELLED at once, after `onCancel` was called.
    func value(onCancel: @escaping @Sendable () -> Void) async throws(ExecError) -> Value {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let settled = state.withLock { state -> Result<Value, ExecError>? in
                    switch state {
                    case .open:
                        state = .waiting(continuation)
                        return nil
                    case .settled(let result):
                        return result
                    case .waiting:
                        preconditionFailure("a promise has one waiter")
                    }
                }
                if let settled { continuation.resume(returning: settled) }
            }
        } onCancel: {
            onCancel()
            settle(.failure(.callerCancelled))
        }
        return try result.get()
    }
}

extension ExecError {
    /// The caller's own task was cancelled.
    static var callerCancelled: ExecError { ExecError(.cancelled, "the task was cancelled") }
    /// The client was closed under the call.
    static var clientClosed: ExecError { ExecError(.cancelled, "the client was closed") }
}
