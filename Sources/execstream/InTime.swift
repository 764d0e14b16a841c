internal import ExecModel

/// Runs `body` for `limit` at most; then it is cancelled, which it has to heed, and `late` is thrown. The
/// time that the machine sleeps does not count.
func inTime<Value: Sendable>(
    _ limit: Duration,
    orThrow late: ExecError,
    _ body: @escaping @Sendable () async throws(ExecError) -> Value,
) async throws(ExecError) -> Value {
    try await withTaskGroup(of: Result<Value, ExecError>?.self) { group in
        group.addTask {
            do throws(ExecError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        group.addTask {
            let isLate = (try? await Task.sleep(for: limit, clock: .suspending)) != nil
            // Called off with the caller, whom `body` tells that.
            return isLate ? .failure(late) : nil
        }
        defer { group.cancelAll() }
        while let result = await group.next() {
            if let result { return result }
        }
        return .failure(late)
    }.get()
}
