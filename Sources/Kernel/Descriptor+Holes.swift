internal import CLinux
internal import Glibc

// MARK: Holes

extension Descriptor {
    /// Gives back to the disk what `count` bytes of the file from `offset` on take: they read as zeros
    /// from then on, and the file keeps its size. More than the file has is fine.
    ///
    /// Throws `.notSupported` where the file system can't.
    package func punchHole(at offset: UInt64, count: UInt64) throws(Errno) {
        guard count > 0 else { return }
        try SystemCall.value { el_punch_hole(number, offset, count) }
    }

    /// What the file takes of the disk, in bytes; less than its size where it has holes.
    package var diskBytes: UInt64 {
        get throws(Errno) { UInt64(try status().st_blocks) * 512 }
    }
}
