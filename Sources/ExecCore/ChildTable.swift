internal import Kernel
internal import Synchronization

/// The children of this process that are execs: each is collected by its own pidfd, and everybody
/// else's (orphans that the kernel has given us) by `collectOrphans`, never the one by the other.
///
/// The rule that keeps them apart: a child is in the table before anybody may collect orphans again.
/// So orphans wait while a child is being made; what was put off is done when its number is known. They do
/// not wait until it runs its program: that may take arbitrarily long.
final class ChildTable: SpawnObserver {
    private let state = Mutex(State())

    private struct State {
        var pids: Set<Int32> = []
        var starts = 0
        /// Orphans may have been left lying.
        var isPutOff = false
    }

    /// A child is about to be made, and its number not known.
    func startBegins() { state.withLock { $0.starts += 1 } }

    /// It was made, and this is its number; nil: it was not.
    func startEnds(_ pid: Int32?) {
        state.withLock { state in
            state.starts -= 1
            if let pid { state.pids.insert(pid) }
            if state.isPutOff { Self.collect(&state) }
        }
    }

    /// Whether it is an exec of ours that has not been collected.
    func contains(_ pid: Int32) -> Bool { state.withLock { $0.pids.contains(pid) } }

    /// The child has been collected: its number may be an orphan's from now on.
    func collected(_ pid: Int32) {
        state.withLock { state in
            state.pids.remove(pid)
            if state.isPutOff { Self.collect(&state) }
        }
    }

    /// Collects the orphans that have ended. From any thread; returns at once.
    func collectOrphans() {
        state.withLock { Self.collect(&$0) }
    }

    private static func collect(_ state: inout State) {
        // A zombie that we don't know may be the child of a start whose number is not told yet.
        guard state.starts == 0 else {
            state.isPutOff = true
            return
        }
        state.isPutOff = false
        _ = Orphans.collect { pid in
            guard state.pids.contains(pid) else { return false }
            // It hides what is behind it until it is collected.
            state.isPutOff = true
            return true
        }
    }
}
