internal import Kernel

/// How many lines one cause may write to the log in a while, as a value; the time is handed in.
///
/// Each key may write `max` lines in a window of `window`; all keys together `totalMax`. What is over is
/// counted, and told once when the key's window ends. Bounded: `keysMax` keys; where there are more, all
/// others share one.
struct LineLimiter {
    enum Verdict: Equatable {
        case write
        /// The first line of its window that is left out: `takeLeftOut` is to be called after `window`.
        case leaveOutFirst
        case leaveOut
    }

    private struct Entry {
        var end: Instant
        var written = 0
        var leftOut = 0
    }

    private var entries: [String: Entry] = [:]
    private var total = Entry(end: Instant(nanoseconds: 0))

    static let window = Duration.seconds(10)
    static let keysMax = 1_024
    static let totalMax = 512
    /// The key of those that have none of their own.
    static let others = "others"

    var keyCount: Int { entries.count }

    /// The key that a cause is counted under.
    mutating func key(_ wanted: String, at now: Instant) -> String {
        guard entries[wanted] == nil, entries.count >= Self.keysMax else { return wanted }
        entries = entries.filter { $0.value.end > now || $0.value.leftOut > 0 }
        return entries.count < Self.keysMax ? wanted : Self.others
    }

    /// A line of this key's is to be written.
    mutating func add(_ key: String, max: Int, at now: Instant) -> Verdict {
        if total.end <= now { total = Entry(end: now + Self.window) }
        var entry = entries[key] ?? Entry(end: now + Self.window)
        // What was left out stays counted until it has been told.
        if entry.end <= now { entry = Entry(end: now + Self.window, leftOut: entry.leftOut) }
        defer { entries[key] = entry }
        guard entry.written < max, total.written < Self.totalMax else {
            entry.leftOut += 1
            return entry.leftOut == 1 ? .leaveOutFirst : .leaveOut
        }
        entry.written += 1
        total.written += 1
        return .write
    }

    /// How many lines of this key's were left out since that was last told.
    mutating func takeLeftOut(_ key: String) -> Int {
        let count = entries[key]?.leftOut ?? 0
        entries[key]?.leftOut = 0
        return count
    }

    /// The same for all keys.
    mutating func takeAllLeftOut() -> [(key: String, count: Int)] {
        let left = entries.filter { $0.value.leftOut > 0 }.map {
            (key: $0.key, count: $0.value.leftOut)
        }
        for (key, _) in left { entries[key]?.leftOut = 0 }
        return left.sorted { $0.key < $1.key }
    }
}
