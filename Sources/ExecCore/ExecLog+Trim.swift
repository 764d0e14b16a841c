internal import Kernel
internal import Synchronization

/// What of a log is gone, in its own small file: `trimmed`. A log that has lost nothing has none.
extension ExecLog {
    /// Writes it down. One write within one page: whoever kills the server leaves the old or the new.
    func write(_ trim: LogTrim) throws(Errno) {
        try state.withLock { (state) throws(Errno) in
            let file = try store.directory(of: state.place).open(
                Self.trimName,
                .readWriteCreate(permissions: 0o600)
            )
            try file.pwrite(trim.bytes.span.bytes, at: 0)
        }
    }

    /// A new log has lost nothing, whatever lay here before.
    static func removeTrim(in directory: Directory) throws(Errno) {
        do throws(Errno) {
            try directory.remove(trimName)
        } catch .notFound {
            // As nearly always.
        }
    }

    /// What an earlier server has written down.
    ///
    /// Throws `.inputOutput` where that is nothing that a server writes.
    func readTrim() throws(Errno) -> LogTrim {
        let place = state.withLock { $0.place }
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try store.directory(of: place).readSmall(
                Self.trimName,
                max: LogTrim.byteCount
            )
        } catch .notFound {
            return LogTrim()
        }
        // A server that was killed between the two calls has made the file and trimmed nothing.
        if bytes.isEmpty { return LogTrim() }
        guard let trim = LogTrim(bytes.span.bytes) else { throw .inputOutput }
        return trim
    }

    private static let trimName = "trimmed"
}
