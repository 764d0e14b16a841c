internal import ExecModel
internal import Kernel
internal import Synchronization

/// What the next connection gets of TLS: what the files held when they were last read. Connections
/// keep what they began with. Any thread.
final class LiveTLS: Sendable {
    private let files: ServerTLS?
    private let loaded = Mutex<TLSContext?>(nil)

    init(_ files: ServerTLS?) { self.files = files }

    /// Nil: TCP is plain.
    var context: TLSContext? { loaded.withLock { $0 } }

    /// Reads the files. FAILED_PRECONDITION: one of them can't be used, and what was read before stays.
    func load() throws(ExecError) {
        guard let files else { return }
        let identity = TLSIdentity(
            certificateFile: files.certificateFile,
            keyFile: files.keyFile
        )
        do throws(TLSFailure) {
            let new = try TLSContext(serving: identity, clientCAFile: files.clientCAFile)
            loaded.withLock { $0 = new }
        } catch {
            throw ExecError(.failedPrecondition, error.message, cause: error)
        }
    }
}
