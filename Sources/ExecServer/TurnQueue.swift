/// Streams that wait for their turn, each once, in the order in which they came.
struct TurnQueue {
    private var order: [UInt32] = []
    private var members: Set<UInt32> = []

    var count: Int { order.count }

    /// Adds a stream at the end, unless it waits already.
    mutating func add(_ id: UInt32) {
        if members.insert(id).inserted { order.append(id) }
    }

    /// Takes the one whose turn it is; nil: none waits.
    mutating func next() -> UInt32? {
        guard !order.isEmpty else { return nil }
        let id = order.removeFirst()
        members.remove(id)
        return id
    }

    mutating func removeAll() { self = TurnQueue() }
}
