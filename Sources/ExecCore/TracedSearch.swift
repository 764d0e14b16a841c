internal import Kernel

/// Finds what an exec without a cgroup has started: see `TracedOffspring`. Any thread.
struct TracedSearch: Sendable {
    let leader: Int32
    let leaderStart: UInt64?
    let mark: ProcessMark?
    let cgroup: Cgroup?
    /// Those who have been found before, and whose end is still waited for.
    let known: Set<Int32>

    /// Who was left then, without the leader; nil: it can't be told.
    func find(in index: ProcessIndex) -> [ProcessRecord]? {
        guard index.isComplete else { return nil }
        // A session's number is its leader's, and can be another's once that has gone.
        let isOurs = index.records[leader].map { $0.startTicks == leaderStart } ?? true
        var roots = known
        for session in known.compactMap({ index.records[$0]?.session }) + (isOurs ? [leader] : []) {
            for process in index.table.members(ofSession: session) { roots.insert(process.pid) }
        }
        for process in index.orphans where isMarked(process) { roots.insert(process.pid) }
        roots.formUnion(cgroup?.processes ?? [])
        if isOurs { roots.insert(leader) }
        let pids = roots.union(index.table.descendants(of: roots).map(\.pid))
        // The oldest first: a parent is to hear of a signal before it hears that its child has ended.
        return pids.compactMap { index.records[$0] }
            .filter { $0.pid != leader && !$0.hasEnded }
            .sorted { ($0.startTicks, $0.pid) < ($1.startTicks, $1.pid) }
    }

    private func isMarked(_ process: ProcessRecord) -> Bool {
        guard let mark, process.startTicks >= leaderStart ?? 0 else { return false }
        return ProcessTable.environmentContains(pid: process.pid, mark.ofExec)
    }
}
