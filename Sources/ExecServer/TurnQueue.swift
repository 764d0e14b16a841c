/// Streams that wait for their turn, each once, in the order in which they came.
struct TurnQueue {
    private var order: [UInt32] = []
    private var head = 0
    private var members: Set<UInt32> = []

    var count: Int { order.count - head }

    /// Adds a stream at the end, unless it waits already.
    mutating func add(_ id: UInt32) {
        if members.insert(id).inserted { order.append(id) }
    }

    /// Takes the one whose turn it is; nil: none waits.
    mutating func next() -> UInt32? {
        guard head < order.count else { return nil }
        let id = order[head]
        head += 1
        members.remove(id)
        // Never more gone than waiting, and so in all no more moved than was ever added.
        if head * 2 >= order.count {
            order.removeFirst(head)
            head = 0
        }
        return id
    }

    mutating func removeAll() { self = TurnQueue() }
}
