internal import Kernel
internal import Synchronization

/// An exec's files, by the place where they lie: opened when somebody needs them, shared while
/// anybody does.
final class ExecLog: Sendable {
    struct State {
        var place: LogPlace
        /// Nothing was opened yet: what lies there is nobody's any more.
        var isNew = true
        var isForgotten = false
        weak var files: LogFiles?

        /// A forgotten log is read on for as long as it is there, and never made anew.
        var opening: LogFiles.Opening { isForgotten ? .existing : isNew ? .new : .kept }
    }

    let store: LogStore
    let state: Mutex<State>

    init(_ place: LogPlace, in store: LogStore) {
        self.store = store
        state = Mutex(State(place: place))
    }

    /// What lies there is an earlier server's, and is gone on with. Before anything is opened.
    func takeOver() { state.withLock { $0.isNew = false } }

    /// The files, opened now if nobody has them open.
    func files() throws(Errno) -> LogFiles {
        try state.withLock { (state) throws(Errno) -> LogFiles in
            if let files = state.files { return files }
            let files = try LogFiles.open(state.place, in: store, state.opening)
            state.isNew = false
            state.files = files
            return files
        }
    }

    /// Makes the place free for another exec's log; only the first call does. The bytes are still there,
    /// for `delete`.
    ///
    /// - Parameter trash: a name in the store that is not taken.
    func forget(movingTo trash: String) {
        state.withLock { state in
            guard !state.isForgotten else { return }
            state.isForgotten = true
            // The old place is somebody else's from here on, whatever came of this.
            state.place = store.remove(state.place, movingTo: trash)
        }
    }

    /// Deletes what was forgotten. Who has the files open reads on. What can't be deleted now, the
    /// next server that starts here deletes.
    func delete() {
        state.withLock { state in
            if state.isForgotten { store.delete(state.place) }
        }
    }
}
