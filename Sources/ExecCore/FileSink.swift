internal import Kernel
internal import Synchronization

/// A file that bytes are appended to.
public final class FileSink: ByteSink {
    private struct State: ~Copyable {
        var file: Descriptor
        var offset: UInt64
    }

    private let state: Mutex<State>

    /// Opens the file at `path`, making it (0600) if it is not there; what it holds stays.
    public init(path: String) throws(ExecError) {
        do throws(Errno) {
            let file = try Files.open(path, .readWriteCreate(permissions: 0o600))
            let offset = try file.size
            state = Mutex(State(file: file, offset: offset))
        } catch {
            throw ExecError(.failedPrecondition, "\(path) can't be opened: \(error)", cause: error)
        }
    }

    /// Appends all of `bytes`.
    public func write(_ bytes: RawSpan) throws(ExecError) {
        do throws(Errno) {
            try state.withLock { (state) throws(Errno) in
                try state.file.pwrite(bytes, at: state.offset)
                state.offset += UInt64(bytes.byteCount)
            }
        } catch {
            throw ExecError(.resourceExhausted, "the file can't be written: \(error)", cause: error)
        }
    }
}
