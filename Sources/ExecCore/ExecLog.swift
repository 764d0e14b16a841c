internal import Kernel
internal import Synchronization

/// An exec's files, by the directory they lie in: opened when somebody needs them, shared while
/// anybody does.
final class ExecLog: Sendable {
    struct State {
        var directory: String
        /// Nothing was opened yet: what lies there is nobody's any more.
        var isNew = true
        var isForgotten = false
        weak var files: LogFiles?

        /// A forgotten log is read on for as long as it is there, and never made anew.
        var opening: LogFiles.Opening { isForgotten ? .existing : isNew ? .new : .kept }
    }

    let state: Mutex<State>

    init(directory: String) { state = Mutex(State(directory: directory)) }

    /// What lies there is an earlier server's, and is gone on with. Before anything is opened.
    func takeOver() { state.withLock { $0.isNew = false } }

    /// The files, opened now if nobody has them open.
    func files() throws(Errno) -> LogFiles {
        try state.withLock { (state) throws(Errno) -> LogFiles in
            if let files = state.files { return files }
            let files = try LogFiles.open(in: state.directory, state.opening)
            state.isNew = false
            state.files = files
            return files
        }
    }

    /// Makes the place free for another exec's log; only the first call does. The bytes are still there,
    /// for `delete`.
    ///
    /// - Parameter trash: a path on the same file system that is not taken.
    func forget(movingTo trash: String) {
        state.withLock { state in
            guard !state.isForgotten else { return }
            state.isForgotten = true
            // The old path is somebody else's from here on, whatever came of this.
            defer { state.directory = trash }
            do throws(Errno) {
                try Files.rename(state.directory, to: trash)
            } catch .notFound {
                // Where there are no files there is nothing to move, and nothing to delete either.
                return
            } catch {
                // A full disk, say. Nobody would come back here to delete it.
                try? Files.removeTree(state.directory)
            }
            if let slash = state.directory.lastIndex(of: "/") {
                Files.removeDirectoryIfEmpty(String(state.directory[..<slash]))
            }
        }
    }

    /// Deletes what was forgotten. Who has the files open reads on. What can't be deleted now, the
    /// next server that starts here deletes.
    func delete() {
        state.withLock { state in
            if state.isForgotten { try? Files.removeTree(state.directory) }
        }
    }
}
