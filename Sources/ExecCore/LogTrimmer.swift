internal import ExecModel
internal import Kernel

/// Keeps a log within its limit: decides what of its oldest part goes, and when. A value; the tee has
/// it.
///
/// Of the limit an eighth is for the records of chunks that are gone, the rest for chunks and their
/// records. Where these pass it, an eighth goes at once (4 MiB at most), so that a chunk costs the
/// tee one comparison, with `threshold`. The log is over its limit by one chunk at most.
struct LogTrimmer {
    private(set) var trim = LogTrim()
    /// The cost of a log from which on it is to be trimmed.
    private(set) var threshold: UInt64
    /// Why the limit can't be kept; nil: it is.
    private(set) var failure: Errno?
    private let keptBytesMax: UInt64
    private let stepBytes: UInt64
    private let pastRecordsMax: UInt64
    /// The file system can make holes.
    private var isProven = false

    private static let stepBytesMax: UInt64 = 4 << 20
    private static let recordsAtOnce = 512

    /// - Parameter logBytesMax: the limit; 0: there is none.
    init(logBytesMax: UInt64) {
        let share = logBytesMax / 8
        keptBytesMax = logBytesMax - share
        stepBytes = min(share, Self.stepBytesMax)
        pastRecordsMax = share / UInt64(IndexRecord.byteCount)
        threshold = logBytesMax == 0 ? .max : keptBytesMax
    }

    /// What is to go now of a log that takes `cost` and has records through `loggedThrough`, with which its
    /// streams had come to `loggedOffsets`. Its bytes are there until `carryOut`. Throws `.inputOutput`
    /// where the index is not what was written.
    mutating func next(
        cost: UInt64,
        loggedThrough: UInt64,
        loggedOffsets: StreamOffsets,
        in files: LogFiles,
    ) throws(Errno) -> LogTrim {
        try prove(files)
        let goal = cost - (keptBytesMax - stepBytes)
        let slab = Slab(capacity: Self.recordsAtOnce * IndexRecord.byteCount)
        var records: [IndexRecord] = []
        var next = trim
        var chain = RecordChain(from: trim.offsets, upTo: loggedOffsets)
        while next.cost < goal, next.through < loggedThrough {
            slab.reuse()
            try files.readRecords(
                from: next.through + 1,
                max: Int(min(loggedThrough - next.through, UInt64(Self.recordsAtOnce))),
                using: slab,
                into: &records,
            )
            for record in records where next.cost < goal {
                guard chain.take(record) else { throw .inputOutput }
                next.offsets = chain.offsets
                next.through += 1
            }
        }
        next.recordsThrough = max(
            next.recordsThrough,
            next.through - min(next.through, pastRecordsMax),
        )
        return next
    }

    /// Gives the bytes back. Nobody reads them any more: everybody has been told before.
    mutating func carryOut(_ next: LogTrim, in files: LogFiles) throws(Errno) {
        trim = next
        threshold = next.cost + keptBytesMax
        try files.punch(next)
    }

    /// The limit is no longer kept, because of this or because there is nothing to trim any more.
    mutating func giveUp(_ error: Errno? = nil) {
        failure = failure ?? error
        threshold = .max
    }

    /// Behind the end of a file a hole changes nothing, but a file system that can't refuses it.
    private mutating func prove(_ files: LogFiles) throws(Errno) {
        guard !isProven else { return }
        try files.withIndex { (index) throws(Errno) in
            try index.punchHole(at: try index.size + (1 << 20), count: 4_096)
        }
        isProven = true
    }
}

extension LogFiles {
    /// From the beginning: so a hole that a killed server had not made is made up for, and no block
    /// that lies across two of them stays.
    func punch(_ trim: LogTrim) throws(Errno) {
        for stream in ExecStream.allCases {
            try withFile(of: stream) { (file) throws(Errno) in
                try file.punchHole(at: 0, count: trim.offsets[stream])
            }
        }
        try withIndex { (index) throws(Errno) in
            let records = trim.recordsThrough * UInt64(IndexRecord.byteCount)
            try index.punchHole(at: 0, count: records)
        }
    }
}
