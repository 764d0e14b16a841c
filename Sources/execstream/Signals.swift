internal import Kernel

/// Calls `heed` with each signal as it comes, while `body` runs; on a thread of its own, which nothing holds
/// up that the program's tasks wait for. The signals must have been blocked in `main`.
func withSignals<Result>(
    _ numbers: [Int32],
    heed: @escaping @Sendable (Int32) -> Void,
    _ body: () async throws(Failure) -> Result,
) async throws(Failure) -> Result {
    let group: EventLoopGroup
    do throws(Errno) {
        group = try EventLoopGroup(count: 1, name: "signals")
    } catch {
        throw Failure("can't take signals: \(error)")
    }
    defer { group.shutdown() }
    let loop = group.next()
    do throws(Errno) {
        try loop.perform { () throws(Errno) in
            // The loop keeps it for as long as it runs.
            _ = try SignalSource(numbers, on: loop, handler: heed)
        }
    } catch {
        throw Failure("can't take signals: \(error)")
    }
    return try await body()
}

/// Signals as they come, for a task, while `body` runs. They must have been blocked in `main`.
func withSignals<Result>(
    _ numbers: [Int32],
    _ body: (AsyncStream<Int32>) async throws(Failure) -> Result,
) async throws(Failure) -> Result {
    let (stream, continuation) = AsyncStream.makeStream(
        of: Int32.self,
        bufferingPolicy: .bufferingOldest(16),
    )
    return try await withSignals(numbers, heed: { continuation.yield($0) }) { () throws(Failure) in
        try await body(stream)
    }
}
