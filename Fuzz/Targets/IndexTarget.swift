internal import ExecModel
internal import Kernel

@testable internal import ExecCore

/// The recovery of a log: whatever stands in the index, afterwards it covers the files exactly.
///
/// The first six bytes are the sizes of the two files, which are holes; the rest is the index.
enum IndexTarget {
    /// Where the log is, over and over again: given by the script, which deletes it afterwards.
    private static let store: LogStore = {
        guard let path = Environment.variables["EXECSTREAM_FUZZ_LOG"] else {
            fatalError("EXECSTREAM_FUZZ_LOG is to name a directory")
        }
        return LogStore(path: path)
    }()

    static func run(_ input: Input) -> Int32 {
        var input = input
        let sizes = StreamOffsets(
            stdout: UInt64(input.takeSize()),
            stderr: UInt64(input.takeSize())
        )
        let index = Array(input.rest)
        do throws(Errno) {
            try recover(sizes, index)
        } catch {
            fatalError("a log can't be recovered: \(error)")
        }
        return 0
    }

    private static func recover(_ sizes: StreamOffsets, _ index: [UInt8]) throws(Errno) {
        let files = try LogFiles.open(.named(container: "c", exec: "e"), in: store)
        for stream in ExecStream.allCases {
            try files.withFile(of: stream) { (file) throws(Errno) in
                try file.truncate(to: sizes[stream])
            }
        }
        try files.withIndex { (file) throws(Errno) in
            try file.truncate(to: 0)
            try file.pwrite(index.span.bytes, at: 0)
        }
        let outcome = try LogRecovery.recover(files, trim: LogTrim(), unixNS: 1)
        check(outcome.offsets == sizes, "the chunks do not cover the files")
        if outcome.damagedRecords == 0 {
            check(try covers(outcome, files) == sizes, "the records do not cover the files")
        }
        let again = try LogRecovery.recover(files, trim: LogTrim(), unixNS: 2)
        check(again.recoveredBytes == 0, "what was recovered is not complete")
        check(again.lastSequence == outcome.lastSequence, "recovery is not stable")
    }

    /// Reads the records as a viewer does, and answers how far they come.
    private static func covers(
        _ outcome: LogRecovery.Outcome,
        _ files: LogFiles,
    ) throws(Errno) -> StreamOffsets {
        var offsets = StreamOffsets()
        let slab = Slab(capacity: 64 * IndexRecord.byteCount)
        var records: [IndexRecord] = []
        var sequence: UInt64 = 0
        while sequence < outcome.lastSequence {
            slab.reuse()
            try files.readRecords(
                from: sequence + 1,
                max: Int(min(64, outcome.lastSequence - sequence)),
                using: slab,
                into: &records,
            )
            for record in records {
                check(record.offset == offsets[record.stream], "a record is out of order")
                check(record.length > 0, "a record is empty")
                check(
                    record.length <= RegistryConfiguration.chunkBytesLimit,
                    "a chunk is larger than any that is sent",
                )
                offsets[record.stream] = record.end
                sequence += 1
            }
        }
        return offsets
    }
}
