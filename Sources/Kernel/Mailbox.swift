internal import Synchronization

/// What any thread may hand to a loop: jobs and wakes, in one order.
///
/// Two arrays take turns, so nothing is allocated once they have grown; they grow with what is
/// posted while the loop is busy, and one that grew beyond 65,536 letters is given back.
struct Mailbox {
    enum Letter {
        case job(@Sendable () -> Void)
        case wake(any LoopTarget)
    }

    private static let keptCapacityMax = 65_536

    private var letters: [Letter] = []
    /// The loop is about to sleep or sleeps; whoever posts next must ring, and nobody after that.
    private var isAsleep = false
    private var isClosed = false
    private(set) var isStopping = false

    enum Posted {
        /// The loop will come by.
        case delivered
        /// The loop sleeps: ring its bell, after unlocking.
        case mustRing
        /// The loop has ended; the letter was dropped.
        case refused
    }

    /// Adds a letter.
    mutating func post(_ letter: Letter) -> Posted {
        if isClosed { return .refused }
        letters.append(letter)
        return ringIfAsleep()
    }

    /// Asks the loop to end.
    mutating func stop() -> Posted {
        isStopping = true
        return ringIfAsleep()
    }

    private mutating func ringIfAsleep() -> Posted {
        guard isAsleep else { return .delivered }
        isAsleep = false
        return .mustRing
    }

    /// The loop wants to sleep; false: something was posted, it must not.
    mutating func fallAsleep() -> Bool {
        isAsleep = letters.isEmpty && !isStopping
        return isAsleep
    }

    /// Swaps everything posted into `batch`, which must be empty; the loop is awake.
    mutating func collect(into batch: inout [Letter]) {
        assert(batch.isEmpty)
        isAsleep = false
        swap(&letters, &batch)
        if letters.capacity > Mailbox.keptCapacityMax { letters = [] }
    }

    /// Refuses all letters from now on, and hands back those that were left.
    mutating func close() -> [Letter] {
        isClosed = true
        defer { letters = [] }
        return letters
    }
}
