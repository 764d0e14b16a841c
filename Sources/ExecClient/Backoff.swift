/// How long to wait before the next attempt: 50 ms, doubling to 1 s, within a limit from the break.
struct Backoff {
    private let limit: Duration
    private var delay = Backoff.first

    /// Attempts for at most `limit` after the break.
    init(limit: Duration) { self.limit = limit }

    /// The time to wait before the next attempt, `elapsed` after the break; nil: give up.
    mutating func next(elapsed: Duration) -> Duration? {
        guard elapsed < limit else { return nil }
        defer { delay = min(delay * 2, Self.last) }
        return min(delay, limit - elapsed)
    }

    private static let first = Duration.milliseconds(50)
    private static let last = Duration.seconds(1)
}
