internal import Kernel

/// How long whoever presents wrong tokens waits for the answers: from `first` on twice as long each
/// time, for each network that they come from. A value; the time is handed in.
///
/// Bounded by `networksMax`: at the bound what has expired goes, else the quarter that was quiet for
/// longest. A right token changes nothing here: its bearer may be the one who guesses at others.
struct TokenPenalties {
    private struct Entry {
        var count: Int
        var last: Instant
    }

    private let first: Duration
    private var entries: [String: Entry] = [:]

    static let networksMax = 4_096
    /// The longest wait.
    static let longest = Duration.seconds(10)
    /// A network that was quiet for so long starts anew.
    static let memory = Duration.seconds(600)

    init(first: Duration) { self.first = first }

    var count: Int { entries.count }

    /// A wrong token has come from `network`. Returns how long the answer is to wait.
    mutating func add(_ network: String, at now: Instant) -> Duration {
        var entry = entries[network] ?? Entry(count: 0, last: now)
        if now - entry.last >= Self.memory { entry.count = 0 }
        if entries[network] == nil, entries.count >= Self.networksMax { makeRoom(now) }
        // Beyond this every wait is the longest, whatever the first one is.
        let doublings = min(entry.count, 30)
        entry.count += 1
        entry.last = now
        entries[network] = entry
        return min(first * (1 << doublings), Self.longest)
    }

    private mutating func makeRoom(_ now: Instant) {
        entries = entries.filter { now - $0.value.last < Self.memory }
        guard entries.count >= Self.networksMax else { return }
        let quiet = entries.sorted { $0.value.last < $1.value.last }.prefix(Self.networksMax / 4)
        for (network, _) in quiet { entries[network] = nil }
    }
}
