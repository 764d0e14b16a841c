internal import ExecModel
internal import Kernel

/// The newest chunks of an exec, in memory, shared by all its viewers.
///
/// Bounded by a number of chunks and a number of bytes: a push evicts the oldest until both hold
/// (one chunk always fits). It allocates at the first push and then no more.
struct ChunkRing {
    let chunksMax: Int
    let bytesMax: Int
    /// How far both streams had come before the oldest chunk here.
    private(set) var base = StreamOffsets()
    private(set) var byteCount = 0
    private var slots: [Chunk?] = []
    private var head = 0
    private(set) var count = 0

    init(chunksMax: Int, bytesMax: Int) {
        precondition(chunksMax > 0 && bytesMax > 0)
        self.chunksMax = chunksMax
        self.bytesMax = bytesMax
    }

    var isEmpty: Bool { count == 0 }

    /// The oldest sequence here; nil: the ring is empty.
    var firstSequence: UInt64? { isEmpty ? nil : slots[head]?.sequence }

    /// Adds the newest chunk. `recycled` is handed each slab whose last chunk may just have gone.
    mutating func push(_ chunk: Chunk, recycled: (consuming Slab) -> Void) {
        if slots.isEmpty { slots = Array(repeating: nil, count: chunksMax) }
        while count == chunksMax || (count > 0 && byteCount + chunk.count > bytesMax) {
            evictOldest(before: chunk, recycled: recycled)
        }
        slots[(head + count) % chunksMax] = chunk
        count += 1
        byteCount += chunk.count
    }

    /// The chunk with `sequence`; nil: it is not here.
    func chunk(_ sequence: UInt64) -> Chunk? {
        guard let first = firstSequence, sequence >= first, sequence < first + UInt64(count) else {
            return nil
        }
        return slots[(head + Int(sequence - first)) % chunksMax]
    }

    /// Gives all memory back. What comes after is pushed as if the ring were new.
    mutating func removeAll(reaching offsets: StreamOffsets) {
        slots = []
        head = 0
        count = 0
        byteCount = 0
        base = offsets
    }

    private mutating func evictOldest(before next: Chunk, recycled: (consuming Slab) -> Void) {
        guard let oldest = slots[head].take() else { return }
        head = (head + 1) % chunksMax
        count -= 1
        byteCount -= oldest.count
        base[oldest.stream] = oldest.end
        let following = count > 0 ? slots[head]?.slab : next.slab
        let slab = oldest.slab
        if following !== slab { recycled(slab) }
    }
}
