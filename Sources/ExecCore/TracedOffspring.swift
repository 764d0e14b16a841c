internal import Kernel

/// What a process has started, as far as it can be traced without a cgroup: its descendants while
/// the parents are there to tell, the members of its session and of its descendants', and orphans
/// that carry its mark in their environment.
///
/// What has left the session, lost its parents and been given another environment before anybody
/// looked is not found.
final class TracedOffspring: Offspring {
    private let leader: Int32
    private let leaderStart: UInt64?
    private let mark: ProcessMark?
    private let indexes: ProcessIndexes
    /// Holds more, where a limit needed one.
    private var cgroup: Cgroup?
    /// Those whose end is waited for, and those that have been seen while their parents lived.
    private var known: [Int32: Known] = [:]
    private var isKilling = false
    private var loop: EventLoop?
    private var timer: TimerID?
    private var waiting: [() -> Void] = []

    /// Where nobody can be watched, it is looked for who is left this often.
    private static let lookTime = Duration.milliseconds(50)
    /// Of many that end together, one look is enough.
    private static let gatherTime = Duration.milliseconds(5)

    /// `leader` has just been started.
    init(of leader: Int32, mark: ProcessMark?, cgroup: Cgroup?, indexes: ProcessIndexes) {
        (self.leader, self.mark, self.cgroup) = (leader, mark, cgroup)
        self.indexes = indexes
        leaderStart = ProcessRecord.read(leader)?.startTicks
    }

    var pids: [Int32] { (find() ?? []).map(\.pid) }

    var finder: @Sendable () -> [Int32] {
        { [search, indexes] in (search.find(in: indexes.waitingIndex()) ?? []).map(\.pid) }
    }

    func note() {
        for record in find(in: indexes.recentIndex()) ?? [] { meet(record) }
    }

    func tellIfEmpty(on loop: EventLoop, _ done: @escaping (Bool) -> Void) {
        let asked = SystemClocks().now
        loop.schedule(after: Self.gatherTime) { [self] in
            done(find(since: asked)?.isEmpty == true)
        }
    }

    func signal(_ number: Int32, sparingGroup: Bool) {
        for record in find() ?? [] where !sparingGroup || record.group != leader {
            try? ProcessReference(record)?.signal(number)
        }
    }

    func kill() {
        isKilling = true
        // What they have started meanwhile is found when they have ended.
        signal(Signals.kill, sparingGroup: false)
    }

    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void) {
        self.loop = loop
        waiting.append(alone)
        watch()
    }

    func letGo() {
        guard waiting.isEmpty else { return }
        for pid in known.keys { forget(pid) }
        if let timer { loop?.cancel(timer) }
        timer = nil
    }

    func forgetCgroup() { cgroup = nil }

    // MARK: Looking

    /// Who is left, as it was then or later; nil: it can't be told.
    private func find(since: Instant = SystemClocks().now) -> [ProcessRecord]? {
        find(in: indexes.index(since: since))
    }

    private func find(in index: ProcessIndex) -> [ProcessRecord]? {
        guard index.isComplete else { return nil }
        forgetEnded(index.records)
        return search.find(in: index)
    }

    private var search: TracedSearch {
        TracedSearch(
            leader: leader,
            leaderStart: leaderStart,
            mark: mark,
            cgroup: cgroup,
            known: Set(known.keys)
        )
    }

    private func forgetEnded(_ records: [Int32: ProcessRecord]) {
        for (pid, process) in known {
            let record = records[pid]
            if record?.startTicks != process.startTicks || record?.hasEnded != false { forget(pid) }
        }
    }

    // MARK: Waiting

    private func watch() {
        guard let loop else { return }
        let left = find()
        if isKilling {
            for record in left ?? [] { try? ProcessReference(record)?.signal(Signals.kill) }
        }
        if let left, left.isEmpty {
            let told = waiting
            waiting = []
            letGo()
            for tell in told { tell() }
            return
        }
        for record in left ?? [] { meet(record) }
        for pid in known.keys { watch(pid, on: loop) }
        if !known.values.contains(where: { $0.watch?.registration != nil }) { lookLater(loop) }
    }

    private func watch(_ pid: Int32, on loop: EventLoop) {
        guard let process = known[pid], process.watch == nil else { return }
        // It keeps this object for as long as it is registered.
        let watch = Watch { [self] in
            forget(pid)
            lookLater(loop, after: Self.gatherTime)
        }
        watch.registration = try? process.reference.register(on: loop, watch)
        known[pid]?.watch = watch
    }

    private func lookLater(_ loop: EventLoop, after time: Duration = lookTime) {
        guard timer == nil, !waiting.isEmpty else { return }
        timer = loop.schedule(after: time) { [self] in
            timer = nil
            watch()
        }
    }

    private func meet(_ record: ProcessRecord) {
        guard known[record.pid] == nil, let reference = ProcessReference(record) else { return }
        known[record.pid] = Known(startTicks: record.startTicks, reference: reference)
    }

    private func forget(_ pid: Int32) {
        guard let process = known.removeValue(forKey: pid) else { return }
        if let registration = process.watch?.registration { loop?.deregister(registration) }
    }

    private struct Known {
        let startTicks: UInt64
        let reference: ProcessReference
        var watch: Watch?
    }

    private final class Watch: ReadinessHandler {
        var registration: Registration?
        private let ended: () -> Void

        init(_ ended: @escaping () -> Void) { self.ended = ended }

        func ready(_ readiness: Readiness) { ended() }
    }
}

extension ProcessReference {
    /// Nil: it has ended, or can't be opened.
    fileprivate convenience init?(_ record: ProcessRecord) {
        try? self.init(pid: record.pid, startTicks: record.startTicks)
    }
}

/// What the offspring of an exec without a cgroup is known by: two variables in its environment.
struct ProcessMark {
    static let execName = "EXECSTREAM_EXEC_ID"
    static let serverName = "EXECSTREAM_SERVER_ID"

    let server: String
    let exec: String

    var ofExec: String { "\(Self.execName)=\(exec)" }

    /// Kills all processes of a server, until none is left.
    static func killAll(ofServer server: String) {
        let entry = "\(serverName)=\(server)"
        // Bounded: what can't be killed stays.
        for _ in 0..<100 {
            let marked = ProcessTable.snapshot().processes.filter { process in
                !process.hasEnded && process.pid != ThisProcess.pid
                    && ProcessTable.environmentContains(pid: process.pid, entry)
            }
            if marked.isEmpty { return }
            for process in marked { try? ProcessReference(process)?.signal(Signals.kill) }
        }
    }
}
