internal import ExecModel
internal import Kernel

/// Brings an index that a crash left behind its files up to date.
///
/// The tee writes a chunk's bytes first and its record after, so at any instant the files may hold
/// more than the index tells, and the index may end in half a record. A torn record is cut; bytes
/// without a record become one chunk for each stream (which of the two came first is not known). A record
/// that was damaged later has others behind it that are whole: it stays, and so does their numbering.
///
/// What was to be trimmed was written down before its bytes went. Those may be there yet, or in part:
/// they count as gone, and go.
enum LogRecovery {
    struct Outcome: Hashable {
        var lastSequence: UInt64
        var offsets: StreamOffsets
        /// How many bytes had no record.
        var recoveredBytes: UInt64
        /// How many records before the last one are not what was written: a viewer that comes to one is
        /// told DATA_LOSS.
        var damagedRecords: UInt64
        var trim: LogTrim
        var waypoints: LogWaypoints
    }

    static func recover(
        _ files: LogFiles,
        trim: LogTrim,
        unixNS: Int64,
    ) throws(Errno) -> Outcome {
        let scanned = try scan(files, after: trim)
        var (lastSequence, offsets) = (scanned.lastSequence, scanned.offsets)
        var waypoints = scanned.waypoints
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
                record.append(to: &bytes, as: lastSequence)
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
            damagedRecords: scanned.damaged,
            trim: trim,
            waypoints: waypoints
        )
    }

    /// Follows the records as far as they are records, and agree with each other and with the files.
    private static func scan(
        _ files: LogFiles,
        after trim: LogTrim,
    ) throws(Errno) -> RecordScan {
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
        var scan = RecordScan(after: trim, sizes: sizes)
        let slab = Slab(capacity: recordsAtOnce * IndexRecord.byteCount)
        var records: [IndexRecord] = []
        while scan.next <= recordCount, !scan.isOver {
            slab.reuse()
            let wanted = Int(min(recordCount - scan.next + 1, UInt64(recordsAtOnce)))
            var isReadable = true
            do throws(Errno) {
                try files.readRecords(from: scan.next, max: wanted, using: slab, into: &records)
            } catch .inputOutput {
                isReadable = false
            }
            for record in records where !scan.isOver { scan.take(record) }
            if !isReadable { scan.takeDamaged() }
        }
        // The bytes before it are holes: what begins elsewhere is not to be taken for output.
        guard trim.through == 0 || scan.lastSequence > trim.through || recordCount == trim.through
        else { throw .inputOutput }
        return scan
    }

    private static let recordsAtOnce = 512
}

/// Where following the records has come to. A value.
private struct RecordScan {
    /// The newest record that follows from those before it.
    private(set) var lastSequence: UInt64
    /// How many before that one do not.
    private(set) var damaged: UInt64 = 0
    /// The next one to look at.
    private(set) var next: UInt64
    private(set) var waypoints = LogWaypoints()
    private var chain: RecordChain
    /// The damaged ones since each stream's last whole one.
    private var missing = StreamOffsets()

    /// More than a block of a disk holds.
    private static let damagedMax: UInt64 = 512

    init(after trim: LogTrim, sizes: StreamOffsets) {
        lastSequence = trim.through
        next = trim.through + 1
        chain = RecordChain(from: trim.offsets, upTo: sizes)
    }

    var offsets: StreamOffsets { chain.offsets }

    /// What follows is a torn end.
    var isOver: Bool { next - lastSequence > Self.damagedMax }

    mutating func take(_ record: IndexRecord) {
        let limit = UInt64(RegistryConfiguration.chunkBytesLimit)
        let isBehindDamage = next - lastSequence > 1 || missing[record.stream] > 0
        // One without a check could be anything, once it does not follow from the one before it.
        guard
            isBehindDamage
                ? record.isChecked && chain.take(record, over: missing[record.stream] * limit)
                : chain.take(record)
        else { return takeDamaged() }
        damaged += next - lastSequence - 1
        lastSequence = next
        missing[record.stream] = 0
        next += 1
        // Behind damage the other stream's offset may not be known.
        if missing == StreamOffsets() { waypoints.pass(lastSequence, chain.offsets) }
    }

    /// There is no record in its place.
    mutating func takeDamaged() {
        missing.stdout += 1
        missing.stderr += 1
        next += 1
    }
}
