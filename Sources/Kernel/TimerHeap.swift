/// Names one scheduled timer; names none once that ran or was cancelled.
package struct TimerID: Hashable, Sendable {
    fileprivate let slot: Int32
    fileprivate let order: UInt64
}

/// Deadlines with something to do at each: a binary heap that knows where each timer is, so that
/// cancelling is O(log n) and lets go of the body at once. Equal deadlines keep their order.
///
/// Bounded by what its owner schedules; memory follows the most that were pending at one time.
struct TimerHeap<Body> {
    private struct Slot {
        var order: UInt64
        var position: Int
        var body: Body?
    }

    private struct Node {
        let deadline: Instant
        let order: UInt64
        let slot: Int32

        func precedes(_ other: Node) -> Bool {
            (deadline, order) < (other.deadline, other.order)
        }
    }

    private var nodes: [Node] = []
    private var slots: [Slot] = []
    private var freeSlots: [Int32] = []

    /// The order that the next timer gets; all pending ones have smaller ones.
    private(set) var nextOrder: UInt64 = 0

    /// How many are pending.
    var count: Int { nodes.count }

    /// When the earliest is due; nil: none is pending.
    var nextDeadline: Instant? { nodes.first?.deadline }

    /// Adds a timer.
    mutating func insert(_ body: Body, at deadline: Instant) -> TimerID {
        let order = nextOrder
        nextOrder += 1
        let entry = Slot(order: order, position: nodes.count, body: body)
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            slots[Int(slot)] = entry
        } else {
            slot = Int32(slots.count)
            slots.append(entry)
        }
        nodes.append(Node(deadline: deadline, order: order, slot: slot))
        siftUp(nodes.count - 1)
        return TimerID(slot: slot, order: order)
    }

    /// Takes a timer out; nil: it ran, or was taken out before. The body is handed back, so that the
    /// caller lets go of it when it no longer holds the heap: that may run anybody's deinit.
    mutating func cancel(_ id: TimerID) -> Body? {
        let slot = Int(id.slot)
        guard slot < slots.count, slots[slot].body != nil, slots[slot].order == id.order else {
            return nil
        }
        return remove(at: slots[slot].position)
    }

    /// Takes out the earliest one due at `now` whose order is below `order`.
    mutating func popDue(at now: Instant, before order: UInt64) -> Body? {
        guard let first = nodes.first, first.deadline <= now, first.order < order else {
            return nil
        }
        return remove(at: 0)
    }

    private mutating func remove(at position: Int) -> Body? {
        let slot = Int(nodes[position].slot)
        let last = nodes.count - 1
        if position != last { swapNodes(position, last) }
        nodes.removeLast()
        if position != last {
            siftUp(position)
            siftDown(position)
        }
        freeSlots.append(Int32(slot))
        return slots[slot].body.take()
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard nodes[child].precedes(nodes[parent]) else { return }
            swapNodes(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < nodes.count && nodes[child].precedes(nodes[first]) {
                first = child
            }
            if first == parent { return }
            swapNodes(first, parent)
            parent = first
        }
    }

    private mutating func swapNodes(_ left: Int, _ right: Int) {
        nodes.swapAt(left, right)
        slots[Int(nodes[left].slot)].position = left
        slots[Int(nodes[right].slot)].position = right
    }
}
