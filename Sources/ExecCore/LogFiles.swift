internal import ExecModel
internal import Kernel

/// The open files of one exec's log. Shared by reference: the tee holds them while it writes, a
/// viewer while it reads; the last one to let go closes them.
final class LogFiles: Sendable {
    private let stdout: Descriptor
    private let stderr: Descriptor
    private let index: Descriptor

    /// What is to become of files that are there already, or are not.
    enum Opening {
        /// Emptied: they are nobody's any more. What is missing is made (0700, 0600).
        case new
        /// Kept. What is missing is made.
        case kept
        /// Kept. Nothing is made.
        case existing

        fileprivate var mode: FileMode {
            switch self {
            case .new: .readWriteTruncate(permissions: 0o600)
            case .kept: .readWriteCreate(permissions: 0o600)
            case .existing: .readWrite
            }
        }
    }

    /// Opens the three files of the log at `place`.
    static func open(
        _ place: LogPlace,
        in store: LogStore,
        _ opening: Opening = .kept,
    ) throws(Errno) -> LogFiles {
        if opening == .existing {
            return try LogFiles(store.directory(of: place), opening.mode)
        }
        let directory = try store.makeDirectory(of: place)
        do throws(Errno) {
            return try open(in: directory, opening)
        } catch .notFound {
            // It was empty, and has just been taken away.
            return try open(in: store.makeDirectory(of: place), opening)
        }
    }

    /// Opens the three files in a directory.
    static func open(
        in directory: Directory,
        _ opening: Opening = .kept,
    ) throws(Errno) -> LogFiles {
        let files = try LogFiles(directory, opening.mode)
        if opening == .new { try ExecLog.removeTrim(in: directory) }
        return files
    }

    private init(_ directory: Directory, _ mode: FileMode) throws(Errno) {
        stdout = try directory.open("stdout", mode)
        stderr = try directory.open("stderr", mode)
        index = try directory.open("index", mode)
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
    /// Throws `.inputOutput` where what stands there is no record; those before it are in `records`. What
    /// is in `records` is whole in itself; a `RecordChain` tells whether it belongs to its neighbours.
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
                let record = IndexRecord(
                    span,
                    at: number * IndexRecord.byteCount,
                    of: first + UInt64(number)
                )
                guard let record else { throw Errno.inputOutput }
                records.append(record)
            }
        }
    }
}
