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
    /// Holds more, where a limit needed one.
    private var cgroup: Cgroup?
    private var known: [Int32: Known] = [:]
    private var isKilling = false
    private var loop: EventLoop?
    private var waiting: [() -> Void] = []

    /// `leader` has just been started.
    init(of leader: Int32, mark: ProcessMark?, cgroup: Cgroup?) {
        (self.leader, self.mark, self.cgroup) = (leader, mark, cgroup)
        leaderStart = ProcessRecord.read(leader)?.startTicks
    }

    var isEmpty: Bool {
        look()
        return known.isEmpty
    }

    var pids: [Int32] {
        look()
        return Array(known.keys)
    }

    func note() { look() }

    func signalOutsiders(_ number: Int32) {
        look()
        for process in known.values where process.record.group != leader {
            try? process.reference.signal(number)
        }
    }

    /// To all of them.
    func signal(_ number: Int32) {
        look()
        for process in known.values { try? process.reference.signal(number) }
    }

    func kill() {
        isKilling = true
        // What they have started meanwhile is found when they have ended.
        signal(Signals.kill)
    }

    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void) {
        self.loop = loop
        waiting.append(alone)
        watch()
    }

    func forgetCgroup() { cgroup = nil }

    // MARK: Looking

    /// Brings `known` up to date.
    private func look() {
        let table = ProcessTable.snapshot()
        let records = Dictionary(table.processes.map { ($0.pid, $0) }) { first, _ in first }
        for (pid, process) in known {
            let record = records[pid]
            if record?.startTicks != process.record.startTicks || record?.hasEnded != false {
                forget(pid)
            }
        }
        // A session's number is its leader's, and can be another's once that has gone.
        let isOurs = records[leader].map { $0.startTicks == leaderStart } ?? true
        let sessions = Set(
            known.keys.compactMap { records[$0]?.session } + (isOurs ? [leader] : [])
        )
        var found = table.processes.filter { process in
            sessions.contains(process.session) || isMarkedOrphan(process)
        }
        found += (cgroup?.processes ?? []).compactMap { records[$0] }
        for pid in found.map(\.pid) + Array(known.keys) { found += table.descendants(of: pid) }
        for record in found where record.pid != leader { meet(record) }
    }

    private func meet(_ record: ProcessRecord) {
        guard known[record.pid] == nil, !record.hasEnded,
            let reference = try? ProcessReference(
                pid: record.pid,
                startTicks: record.startTicks
            )
        else { return }
        known[record.pid] = Known(record: record, reference: reference)
    }

    private func isMarkedOrphan(_ process: ProcessRecord) -> Bool {
        // Who has lost its parents is a child of the first process, or of ours.
        guard let mark, process.parent == 1 || process.parent == ThisProcess.pid else {
            return false
        }
        return ProcessTable.environmentContains(pid: process.pid, mark.ofExec)
    }

    // MARK: Waiting

    private func watch() {
        look()
        if isKilling { for process in known.values { try? process.reference.signal(Signals.kill) } }
        if known.isEmpty {
            let told = waiting
            waiting = []
            for tell in told { tell() }
            return
        }
        guard let loop else { return }
        for (pid, process) in known where process.watch == nil {
            let watch = Watch { [weak self] in
                self?.forget(pid)
                if self?.waiting.isEmpty == false { self?.watch() }
            }
            watch.registration = try? process.reference.register(on: loop, watch)
            known[pid]?.watch = watch
        }
    }

    private func forget(_ pid: Int32) {
        guard let process = known.removeValue(forKey: pid) else { return }
        if let registration = process.watch?.registration { loop?.deregister(registration) }
    }

    private struct Known {
        let record: ProcessRecord
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
            for process in marked {
                let reference = try? ProcessReference(
                    pid: process.pid,
                    startTicks: process.startTicks
                )
                try? reference?.signal(Signals.kill)
            }
        }
    }
}
