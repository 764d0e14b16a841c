internal import Kernel

/// Signals as they come, while `body` runs. They must have been blocked in `main`.
func withSignals<Result>(
    _ numbers: [Int32],
    _ body: (AsyncStream<Int32>) async throws(Failure) -> Result,
) async throws(Failure) -> Result {
    let (stream, continuation) = AsyncStream.makeStream(
        of: Int32.self,
        bufferingPolicy: .bufferingOldest(16),
    )
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
            _ = try SignalSource(numbers, on: loop) { continuation.yield($0) }
        }
    } catch {
        throw Failure("can't take signals: \(error)")
    }
    return try await body(stream)
}
