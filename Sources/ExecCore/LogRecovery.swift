internal import ExecModel
internal import Kernel

/// Brings an index that a crash left behind its files up to date.
///
/// The tee writes a chunk's bytes first and its record after, so at any instant the files may hold
/// more than the index tells, and the index may end in half a record. A torn record is cut; bytes
/// without a record become one chunk for each stream (which of the two came first is not known).
///
/// What was to be trimmed was written down before its bytes went. Those may be there yet, or in part:
/// they count as gone, and go.
enum LogRecovery {
    struct Outcome: Hashable {
        var lastSequence: UInt64
        var offsets: StreamOffsets
        /// How many bytes had no record.
        var recoveredBytes: UInt64
        var trim: LogTrim
        var waypoints: LogWaypoints
    }

    static func recover(
        _ files: LogFiles,
        trim: LogTrim,
        unixNS: Int64,
    ) throws(Errno) -> Outcome {
        var waypoints = LogWaypoints()
        var (lastSequence, offsets) = try scan(files, after: trim, &waypoints)
        // What the limit can't be kept for here could not be kept within it before either.
        if trim.through > 0 { try? files.punch(trim) }
        try files.withIndex { (index) throws(Errno) in
            try index.truncate(to: lastSequence * UInt64(IndexRecord.byteCount))
        }
        var recovered: UInt64 = 0
        for stream in ExecStream.allCases {
            let size = try files.withFile(of: stream) { (file) throws(Errno) in try file.size }
            while offsets[stream] < size {
                let limit = UInt64(RegistryConfiguration.chunkBytesLimit)
                let length = min(size - offsets[stream], limit)
                let record = IndexRecord(
                    offset: offsets[stream],
                    length: UInt32(length),
                    stream: stream,
                    unixNS: unixNS
                )
                lastSequence += 1
                var bytes: [UInt8] = []
                record.append(to: &bytes)
                try files.withIndex { (index) throws(Errno) in
                    try index.pwrite(bytes.span.bytes, at: IndexRecord.position(of: lastSequence))
                }
                offsets[stream] += length
                recovered += length
                waypoints.pass(lastSequence, offsets)
            }
        }
        return Outcome(
            lastSequence: lastSequence,
            offsets: offsets,
            recoveredBytes: recovered,
            trim: trim,
            waypoints: waypoints
        )
    }

    /// Follows the records as far as they are records, and agree with each other and with the files.
    private static func scan(
        _ files: LogFiles,
        after trim: LogTrim,
        _ waypoints: inout LogWaypoints,
    ) throws(Errno) -> (UInt64, StreamOffsets) {
        var sizes = StreamOffsets()
        for stream in ExecStream.allCases {
            sizes[stream] = try files.withFile(of: stream) { (file) throws(Errno) in
                try file.size
            }
        }
        let indexBytes = try files.withIndex { (index) throws(Errno) in try index.size }
        let recordCount = indexBytes / UInt64(IndexRecord.byteCount)
        // Only what the files have was ever trimmed: these are not the files that it was written for.
        guard trim.through <= recordCount, trim.offsets.stdout <= sizes.stdout,
            trim.offsets.stderr <= sizes.stderr
        else { throw .inputOutput }
        var offsets = trim.offsets
        var sequence = trim.through
        let slab = Slab(capacity: 512 * IndexRecord.byteCount)
        var records: [IndexRecord] = []
        while sequence < recordCount {
            slab.reuse()
            var isReadable = true
            do throws(Errno) {
                try files.readRecords(
                    from: sequence + 1,
                    max: Int(min(recordCount - sequence, 512)),
                    using: slab,
                    into: &records,
                )
            } catch .inputOutput {
                isReadable = false
            }
            for record in records {
                let isLength = 1...RegistryConfiguration.chunkBytesLimit ~= Int(record.length)
                let agrees = record.offset == offsets[record.stream] && isLength
                guard agrees, record.end <= sizes[record.stream] else { return (sequence, offsets) }
                offsets[record.stream] = record.end
                sequence += 1
                waypoints.pass(sequence, offsets)
            }
            if !isReadable { break }
        }
        return (sequence, offsets)
    }
}
