internal import Kernel

/// The tee's memory: the slab that is being filled, and the few that wait to be filled again.
///
/// Slabs begin small, so that an exec that says "ok" costs a page, and grow to `slabBytesMax` with
/// what is written. A slab comes back from the ring; it is reused once no viewer holds it.
struct SlabPool {
    private var current: Slab?
    private var returned: [Slab] = []

    static let slabBytesMin = 4 << 10
    static let slabBytesMax = 256 << 10
    private static let returnedMax = 8

    /// A slab with room for `count` bytes.
    mutating func slab(for count: Int) -> Slab {
        if let current, current.room >= count { return current }
        let wanted = max(
            count,
            min((current?.capacity ?? Self.slabBytesMin / 4) * 4, Self.slabBytesMax)
        )
        let slab = reusable(capacity: wanted) ?? Slab(capacity: wanted)
        current = slab
        return slab
    }

    /// Takes back a slab whose chunks have left the ring. A viewer may still hold it.
    mutating func giveBack(_ slab: consuming Slab) {
        guard slab.capacity >= Self.slabBytesMax, returned.count < Self.returnedMax else { return }
        returned.append(slab)
    }

    mutating func removeAll() {
        current = nil
        returned = []
    }

    private mutating func reusable(capacity: Int) -> Slab? {
        guard capacity <= Self.slabBytesMax else { return nil }
        for index in returned.indices where isKnownUniquelyReferenced(&returned[index]) {
            let slab = returned.remove(at: index)
            slab.reuse()
            return slab
        }
        return nil
    }
}
