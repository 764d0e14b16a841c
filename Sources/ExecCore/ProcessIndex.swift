internal import Kernel
internal import Synchronization

/// All processes as they were at one moment, and what is asked of that for one exec after another.
struct ProcessIndex: Sendable {
    let takenAt: Instant
    /// How long that took.
    private let time: Duration
    let records: [Int32: ProcessRecord]
    /// Those who have lost their parents, and are no execs of this server's.
    let orphans: [ProcessRecord]
    let table: ProcessTable

    fileprivate init(isExec: (Int32) -> Bool) {
        let began = SystemClocks().now
        takenAt = began
        table = ProcessTable.snapshot()
        records = Dictionary(table.processes.map { ($0.pid, $0) }) { first, _ in first }
        let fosters = Self.ancestors(of: ThisProcess.pid, in: records)
        orphans = table.processes.filter {
            fosters.contains($0.parent) && !$0.hasEnded && !isExec($0.pid)
        }
        time = SystemClocks().now - began
    }

    /// Whether it is new enough to remember by: where a look takes long, there are fewer of them.
    fileprivate var isRecent: Bool {
        SystemClocks().now < takenAt + max(.milliseconds(100), time * 10)
    }

    /// Whether it tells anything: without descriptors /proc seems to be empty.
    var isComplete: Bool { records[ThisProcess.pid] != nil }

    /// Who may have become the parent of an orphan: this process, or one above it.
    private static func ancestors(
        of pid: Int32,
        in records: [Int32: ProcessRecord],
    ) -> Set<Int32> {
        var found: Set<Int32> = [1]
        var next = pid
        while found.insert(next).inserted, let parent = records[next]?.parent { next = parent }
        return found
    }
}

/// The newest index, shared by all execs that have no cgroup: to read all of /proc takes long where
/// there is much in it. Any thread.
final class ProcessIndexes: Sendable {
    private let children: ChildTable
    private let newest = Mutex<ProcessIndex?>(nil)

    init(_ children: ChildTable) { self.children = children }

    /// One that was taken not long ago.
    func recentIndex() -> ProcessIndex {
        let recent = newest.withLock { newest in newest?.isRecent == true ? newest : nil }
        return recent ?? index(since: SystemClocks().now)
    }

    /// As `recentIndex`, for a thread that may wait: nobody else waits where this one does.
    func waitingIndex() -> ProcessIndex {
        let recent = newest.withLock { newest in newest?.isRecent == true ? newest : nil }
        if let recent { return recent }
        let taken = ProcessIndex { children.contains($0) }
        newest.withLock { newest in
            if (newest?.takenAt).map({ $0 < taken.takenAt }) ?? true { newest = taken }
        }
        return taken
    }

    /// One that was taken at this moment or later.
    func index(since: Instant) -> ProcessIndex {
        newest.withLock { newest in
            if let newest, newest.takenAt >= since { return newest }
            let taken = ProcessIndex { children.contains($0) }
            newest = taken
            return taken
        }
    }
}
