/// How much stdin each writer of one exec may have on its way. A writer is a client that may send
/// stdin. A value.
///
/// A writer's *window* is its unused credit and its bytes that the exec has not taken yet. Every
/// writer has a window of its own, the *first grant*, whether it writes or not: so each can send a
/// line at any time. As the exec takes bytes of a writer, its window grows by the same number, out of
/// one pool that all writers share. A window takes at most a third of what is free of the pool: one
/// writer alone gets `windowMax`, many get even shares, and the pool is never used up. Where the pool
/// has less to give than before, a writer gets back less than the exec has taken, until its window
/// is the first grant again.
///
/// Bounded: all windows together are at most `poolBytes` and the first grants. The bytes of writers
/// that have left count against the pool. While they exceed it, a new writer waits for its first
/// grant. So an exec never has more stdin on its way than twice `poolBytes` and the first grants of
/// the most writers that were there at one time.
struct StdinCredit {
    private struct Writer {
        let firstGrant: Int
        var window: Int
        /// Of the window, what the exec has not taken yet.
        var queued = 0
    }

    private var writers: [UInt64: Writer] = [:]
    /// Clients without a first grant.
    private var waiting: Set<UInt64> = []
    /// Of all windows, what exceeds the first grants.
    private var pooled = 0
    /// Bytes of writers that have gone, which the exec has not taken yet.
    private var departed = 0

    /// What the writers share.
    static let poolBytes = 256 << 10
    /// The largest window.
    static let windowMax = 64 << 10
    /// The first grant is this, and less where there are more than 256 writers.
    static let firstGrantMax = 4 << 10
    /// The first grant, whatever the number of writers.
    static let firstGrantMin = 256
    /// What the writers' number divides to give the first grant.
    private static let firstGrantsBytes = 1 << 20

    /// The first grant of a writer that makes the number of writers `count`.
    static func firstGrant(ofWriter count: Int) -> Int {
        max(firstGrantMin, min(firstGrantMax, firstGrantsBytes / max(1, count)))
    }

    /// A writer comes. Returns its credit now; 0: it gets it later, by `admit`.
    ///
    /// A writer that is alone gets its whole window at once: it is most often the one that has started
    /// the exec to write to it.
    mutating func join(_ writer: UInt64) -> Int {
        guard departed <= Self.poolBytes else {
            waiting.insert(writer)
            return 0
        }
        return enter(writer)
    }

    /// A writer goes. Its bytes still count until the exec takes them.
    mutating func leave(_ writer: UInt64) {
        waiting.remove(writer)
        guard let left = writers.removeValue(forKey: writer) else { return }
        pooled -= left.window - left.firstGrant
        departed += left.queued
    }

    /// A writer has sent bytes within its credit (the caller keeps that account).
    mutating func sent(_ count: Int, by writer: UInt64) {
        if writers[writer] == nil {
            departed += count
        } else {
            writers[writer]?.queued += count
        }
    }

    /// The exec has taken bytes. Returns what credit their writer gets for them.
    mutating func taken(_ count: Int, from writer: UInt64) -> Int {
        guard var entry = writers[writer] else {
            departed = max(0, departed - count)
            return 0
        }
        let target = largestWindow(with: entry.firstGrant)
        let change = max(-count, min(count, target - entry.window))
        entry.queued -= count
        entry.window += change
        pooled += change
        writers[writer] = entry
        return count + change
    }

    /// Whether the writer is there and has its first grant.
    func contains(_ writer: UInt64) -> Bool { writers[writer] != nil }

    /// Nothing is kept any more: bytes that were dropped count no longer, and nobody has to wait.
    mutating func drop() {
        departed = 0
        for writer in writers.keys { writers[writer]?.queued = 0 }
    }

    /// Gives the writers that wait their first grants, if they may have them now.
    mutating func admit(_ granted: (UInt64, Int) -> Void) {
        guard !waiting.isEmpty, departed <= Self.poolBytes else { return }
        let admitted = waiting
        waiting = []
        for writer in admitted { granted(writer, enter(writer)) }
    }

    private mutating func enter(_ writer: UInt64) -> Int {
        let firstGrant = Self.firstGrant(ofWriter: writers.count + 1)
        let window = writers.isEmpty ? largestWindow(with: firstGrant) : firstGrant
        writers[writer] = Writer(firstGrant: firstGrant, window: window)
        pooled += window - firstGrant
        return window
    }

    private func largestWindow(with firstGrant: Int) -> Int {
        min(Self.windowMax, firstGrant + max(0, Self.poolBytes - pooled - departed) / 3)
    }
}
