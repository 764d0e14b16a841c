internal import Kernel
internal import Synchronization

/// An exec's files, by the directory they lie in: opened when somebody needs them, shared while
/// anybody does.
final class ExecLog: Sendable {
    struct State {
        var directory: String
        var isForgotten = false
        weak var files: LogFiles?
    }

    let state: Mutex<State>

    init(directory: String) { state = Mutex(State(directory: directory)) }

    /// The files, opened now if nobody has them open.
    func files() throws(Errno) -> LogFiles {
        try state.withLock { (state) throws(Errno) -> LogFiles in
            if let files = state.files { return files }
            let files = try LogFiles.open(in: state.directory)
            state.files = files
            return files
        }
    }

    /// Makes the name free for another exec. The bytes are still there, for `delete`.
    ///
    /// - Parameter trash: a path on the same file system that is not taken.
    func forget(movingTo trash: String) {
        state.withLock { state in
            guard !state.isForgotten else { return }
            state.isForgotten = true
            // Where there are no files there is nothing to move, and nothing to delete either. The
            // old path is somebody else's from here on, whatever came of this.
            defer { state.directory = trash }
            guard (try? Files.rename(state.directory, to: trash)) != nil else { return }
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
