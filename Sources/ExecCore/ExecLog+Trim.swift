internal import Kernel
internal import Synchronization

/// What of a log is gone, in its own small file: `trimmed`. A log that has lost nothing has none.
extension ExecLog {
    /// Writes it down. One write within one page: whoever kills the server leaves the old or the new.
    func write(_ trim: LogTrim) throws(Errno) {
        try state.withLock { (state) throws(Errno) in
            let file = try Files.open(
                "\(state.directory)/trimmed",
                .readWriteCreate(permissions: 0o600)
            )
            try file.pwrite(trim.bytes.span.bytes, at: 0)
        }
    }

    /// A new log has lost nothing, whatever lay here before.
    static func removeTrim(in directory: String) throws(Errno) {
        do throws(Errno) {
            try Files.remove("\(directory)/trimmed")
        } catch .notFound {
            // As nearly always.
        }
    }

    /// What an earlier server has written down.
    ///
    /// Throws `.inputOutput` where that is nothing that a server writes.
    func readTrim() throws(Errno) -> LogTrim {
        let directory = state.withLock { $0.directory }
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.readSmall("\(directory)/trimmed", max: LogTrim.byteCount)
        } catch .notFound {
            return LogTrim()
        }
        // A server that was killed between the two calls has made the file and trimmed nothing.
        if bytes.isEmpty { return LogTrim() }
        guard let trim = LogTrim(bytes.span.bytes) else { throw .inputOutput }
        return trim
    }
}
