internal import CLinux

/// Children that we did not start: processes whose own parent ended before them. They become ours where
/// we are a subreaper (`Subreaper.enable`) or a machine's or container's first process, and stay
/// zombies until we collect them.
package enum Orphans {
    /// Collects the orphans that have ended; answers how many. Doesn't wait. Any thread, one at a time.
    ///
    /// `isOurs` must be true for every child that somebody else in this process collects: one that it
    /// is not true for loses its exit status to this call. So:
    ///
    /// - A child is ours from before it exists, since it may end before `Spawn.start` returns, or
    ///   even because the start fails. Its pid isn't known then: so while a start is under way,
    ///   `isOurs` must be true for every pid that isn't known to be something else, or this must not
    ///   be called. One way is a lock (or one loop) for both: starting and entering the pid, and this.
    /// - It stays ours until it was collected. Forgetting the pid before is forgetting it too early;
    ///   forgetting it much later keeps an orphan with the same number for as long.
    ///
    /// The kernel shows one ended child at a time, and goes on showing it: where that one is ours, this
    /// returns, and what is behind it is collected by a later call. So call it at each SIGCHLD, and
    /// again after each child of ours was collected.
    package static func collect(unless isOurs: (_ pid: Int32) -> Bool) -> Int {
        var collected = 0
        while true {
            let pid = el_peek_ended_child()
            // ECHILD: there are no children at all. EINTR can't be: nothing waits.
            if pid <= 0 || isOurs(pid) { return collected }
            // By its number, which stays its own until this.
            switch el_collect_child(pid) {
            case pid: collected += 1
            case 0: return collected
            // ECHILD: somebody else was as quick.
            default: continue
            }
        }
    }
}
