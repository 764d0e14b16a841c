/// Viewers or subscribers that wait for news, each once. Parking one and taking one out cost the same
/// whatever the number of the others; so many of them may leave at once.
///
/// Each waiter keeps a `Ticket`, which says where it stands. The place of one that has left is given to
/// the next that parks, so there are never more places than waiters at one time. A value; its owner
/// guards it.
struct ParkedWakers {
    /// Where a waiter stands, and since which round; fresh: nowhere.
    struct Ticket: Sendable {
        fileprivate var round: UInt64 = 0
        fileprivate var place = 0
    }

    /// Nil: the waiter has left.
    private var places: [(any Wakeable)?] = []
    private var vacant: [Int] = []
    /// Counts how often all were taken: an older ticket stands for nothing.
    private var round: UInt64 = 1

    /// How many are waiting.
    var count: Int { places.count - vacant.count }

    /// Has `waker` woken with the others. Nothing happens where it waits already.
    mutating func park(_ waker: any Wakeable, _ ticket: inout Ticket) {
        guard ticket.round != round else { return }
        ticket.round = round
        if let place = vacant.popLast() {
            ticket.place = place
            places[place] = waker
        } else {
            ticket.place = places.count
            places.append(waker)
        }
    }

    /// Takes the holder of `ticket` out, where it waits.
    mutating func leave(_ ticket: inout Ticket) {
        guard ticket.round == round else { return }
        places[ticket.place] = nil
        vacant.append(ticket.place)
        ticket.round = 0
    }

    /// Moves all into `taken`, which must be empty; its memory is used for those who park from now on.
    mutating func takeAll(into taken: inout [(any Wakeable)?]) {
        assert(taken.isEmpty)
        round += 1
        if !vacant.isEmpty { vacant.removeAll(keepingCapacity: true) }
        swap(&places, &taken)
    }

    /// Takes all, for a caller that keeps no memory for them.
    mutating func takeAll() -> [(any Wakeable)?] {
        var taken: [(any Wakeable)?] = []
        takeAll(into: &taken)
        return taken
    }
}
