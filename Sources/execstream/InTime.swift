internal import ExecModel

/// Calls off what takes longer than its limit, one thing after the other. The time that the machine sleeps
/// does not count.
///
/// One timer for all: what a task sleeps stays where it is until its time, also where the task is cancelled,
/// so one for each thing would add up.
actor InTime {
    private let limit: Duration
    private var running: Running?
    private var isWatching = false

    private struct Running {
        let since = SuspendingClock.now
        let cancel: @Sendable () -> Void
        var isLate = false
    }

    init(_ limit: Duration) { self.limit = limit }

    /// Runs `body`, which heeds that it is cancelled. Throws `late` where it was called off.
    func run<Value: Sendable>(
        orThrow late: ExecError,
        _ body: @escaping @Sendable () async throws(ExecError) -> Value,
    ) async throws(ExecError) -> Value {
        let task = Task { () -> Result<Value, ExecError> in
            do throws(ExecError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        running = Running(cancel: { task.cancel() })
        if !isWatching {
            isWatching = true
            Task { await watch() }
        }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        let wasLate = running?.isLate ?? false
        running = nil
        if wasLate { throw late }
        return try result.get()
    }

    private func watch() async {
        while let running, !running.isLate {
            let left = limit - (SuspendingClock.now - running.since)
            if left <= .zero {
                self.running?.isLate = true
                running.cancel()
            } else {
                try? await Task.sleep(for: left, clock: .suspending)
            }
        }
        isWatching = false
    }
}
