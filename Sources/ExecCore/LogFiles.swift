internal import ExecModel
internal import Kernel

/// The open files of one exec's log. Shared by reference: the tee holds them while it writes, a
/// viewer while it reads; the last one to let go closes them.
final class LogFiles: Sendable {
    private let stdout: Descriptor
    private let stderr: Descriptor
    private let index: Descriptor

    /// Opens the three files in `directory`, making what is missing (0700, 0600).
    static func open(in directory: String) throws(Errno) -> LogFiles {
        try Files.makeDirectories(directory, permissions: 0o700)
        do throws(Errno) {
            return try LogFiles(directory)
        } catch .notFound {
            // The last other exec of the container has just taken the empty directory away.
            try Files.makeDirectories(directory, permissions: 0o700)
            return try LogFiles(directory)
        }
    }

    private init(_ directory: String) throws(Errno) {
        stdout = try Files.open("\(directory)/stdout", .readWriteCreate(permissions: 0o600))
        stderr = try Files.open("\(directory)/stderr", .readWriteCreate(permissions: 0o600))
        index = try Files.open("\(directory)/index", .readWriteCreate(permissions: 0o600))
    }

    /// Lends the file of one stream.
    func withFile<R, E: Error>(
        of stream: ExecStream,
        _ body: (borrowing Descriptor) throws(E) -> R,
    ) throws(E) -> R {
        switch stream {
        case .stdout: try body(stdout)
        case .stderr: try body(stderr)
        }
    }

    /// Lends the index.
    func withIndex<R, E: Error>(_ body: (borrowing Descriptor) throws(E) -> R) throws(E) -> R {
        try body(index)
    }

    /// Reads the records from `first` on, `max` at most, into `records`.
    ///
    /// Throws `.inputOutput` where what stands there is no record; those before it are in `records`.
    func readRecords(
        from first: UInt64,
        max: Int,
        using slab: Slab,
        into records: inout [IndexRecord],
    ) throws(Errno) {
        records.removeAll(keepingCapacity: true)
        let count = min(max, slab.room / IndexRecord.byteCount)
        let bytes = count * IndexRecord.byteCount
        let start = try slab.append(
            from: index,
            at: IndexRecord.position(of: first),
            count: bytes
        )
        try slab.withBytes(at: start, count: bytes) { (span: RawSpan) throws(Errno) in
            for number in 0..<count {
                guard let record = IndexRecord(span, at: number * IndexRecord.byteCount) else {
                    throw Errno.inputOutput
                }
                records.append(record)
            }
        }
    }
}
