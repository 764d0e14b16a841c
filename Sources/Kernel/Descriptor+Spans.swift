// The same calls for bytes that are lent as spans, so that no pointer is needed above this floor.
extension Descriptor {
    /// Writes as much as fits now. Nil: nothing does.
    package func write(_ bytes: RawSpan) throws(Errno) -> Int? {
        try bytes.withUnsafeBytes { (buffer) throws(Errno) in try write(buffer) }
    }

    /// Writes all of `bytes` at `offset`. When it throws, some may have been written.
    package func pwrite(_ bytes: RawSpan, at offset: UInt64) throws(Errno) {
        try bytes.withUnsafeBytes { (buffer) throws(Errno) in try pwrite(buffer, at: offset) }
    }
}
