internal import ExecModel
internal import Kernel

/// What one pull gives a viewer: chunks, and the memory for those that come out of the log file.
/// One per loop, used for one pull at a time, so that a viewer costs no buffer of its own.
package final class ViewerBatch {
    package internal(set) var chunks: [Chunk] = []
    private var slab: Slab?
    var records: [IndexRecord] = []
    /// Where the bytes of each stream begin in the read slab.
    var starts = StreamOffsets()

    /// The most chunks in one batch.
    package static let chunksMax = 64
    /// The most bytes that are read from the log for one batch. At least the largest chunk.
    static let fileBytesMax = 256 << 10
    private static let slabBytes = fileBytesMax + chunksMax * IndexRecord.byteCount

    package init() { chunks.reserveCapacity(Self.chunksMax) }

    package func removeAll() { chunks.removeAll(keepingCapacity: true) }

    /// Memory for what is read from the log. Empty, unless somebody still holds the last one: then
    /// it is another.
    func readSlab() -> Slab {
        if isKnownUniquelyReferenced(&slab), let slab {
            slab.reuse()
            return slab
        }
        let fresh = Slab(capacity: Self.slabBytes)
        slab = fresh
        return fresh
    }
}
