internal import ExecModel

/// Follows the records of an index, oldest first: each must begin where the one before it of its stream
/// ended, and no stream goes on behind what was logged. So an offset or a length that was changed is
/// found at that record or at the next one of its stream.
struct RecordChain {
    /// How far the streams have come.
    private(set) var offsets: StreamOffsets
    /// How far they can have come.
    let limits: StreamOffsets

    init(from offsets: StreamOffsets, upTo limits: StreamOffsets) {
        (self.offsets, self.limits) = (offsets, limits)
    }

    /// Goes on by a record; false: it does not follow, and nothing has changed.
    mutating func take(_ record: IndexRecord) -> Bool {
        guard record.offset == offsets[record.stream], record.end <= limits[record.stream] else {
            return false
        }
        offsets[record.stream] = record.end
        return true
    }

    /// Goes on by a record that may lie behind others that can't be read, which had `missingBytesMax` at
    /// most; false: it does not follow those either.
    mutating func take(_ record: IndexRecord, over missingBytesMax: UInt64) -> Bool {
        guard record.offset >= offsets[record.stream],
            record.offset - offsets[record.stream] <= missingBytesMax,
            record.end <= limits[record.stream]
        else { return false }
        offsets[record.stream] = record.end
        return true
    }
}
