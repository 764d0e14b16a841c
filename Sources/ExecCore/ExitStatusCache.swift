internal import Kernel
internal import Synchronization

/// How children of this process ended, as told by somebody else's reaper in it.
///
/// Only for a program that waits for any child (`wait`, `waitpid(-1)`, a SIGCHLD handler of its own)
/// and embeds the server: that takes the status of execs too. Linux 6.15 and later still tell it to
/// whoever holds the process's descriptor; on older kernels this is the only way to the truth. So
/// such a program calls `record` with whatever its reaper collects. Safe from any thread. Bounded:
/// at least the newest 2,048 are kept, and at most twice that.
public final class ExitStatusCache: Sendable {
    private let state = Mutex(State())

    private struct State {
        /// When `newer` is full it becomes the older half, and what was that is forgotten.
        var newer: [Int32: Record] = [:]
        var older: [Int32: Record] = [:]
        var waiters: [Int32: Waiter] = [:]
        var waits: UInt64 = 0
    }

    private struct Record {
        let end: ProcessEnd
        let at: Instant
    }

    private struct Waiter {
        let number: UInt64
        let tell: @Sendable (ProcessEnd) -> Void
    }

    private static let halfMax = 2_048

    /// An empty cache.
    public init() {}

    /// A reaper has collected this process, and `wait` or `waitpid` gave it this status.
    public func record(pid: Int32, status: Int32) {
        let record = Record(end: ProcessEnd(waitStatus: status), at: SystemClocks().now)
        let waiter = state.withLock { state -> Waiter? in
            if let waiter = state.waiters.removeValue(forKey: pid) { return waiter }
            if state.newer.count >= Self.halfMax {
                state.older = state.newer
                state.newer = [:]
            }
            state.newer[pid] = record
            return nil
        }
        waiter?.tell(record.end)
    }

    /// Calls `done` on `loop` with the end of the process that was started after `startedAt` and has
    /// been collected by somebody: now, or when it is recorded; with nil once `time` has passed. On
    /// the loop.
    func take(
        _ pid: Int32,
        startedAt: Instant,
        within time: Duration,
        on loop: EventLoop,
        _ done: @escaping (ProcessEnd?) -> Void,
    ) {
        let bound = LoopBound(done, on: loop)
        let (end, wait) = state.withLock { state -> (ProcessEnd?, UInt64?) in
            let newer = state.newer.removeValue(forKey: pid)
            let older = state.older.removeValue(forKey: pid)
            // One from before the start was another's, with the same number.
            if let record = newer ?? older, record.at >= startedAt { return (record.end, nil) }
            guard time > .zero else { return (nil, nil) }
            state.waits += 1
            state.waiters[pid] = Waiter(number: state.waits) { end in
                loop.execute { bound.value(end) }
            }
            return (nil, state.waits)
        }
        guard let wait else { return done(end) }
        loop.schedule(after: time) { [self] in
            let isLate = state.withLock { state in
                guard state.waiters[pid]?.number == wait else { return false }
                state.waiters[pid] = nil
                return true
            }
            if isLate { done(nil) }
        }
    }
}
