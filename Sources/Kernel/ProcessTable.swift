internal import Glibc

/// What /proc/PID/stat said about one process.
package struct ProcessRecord: Hashable, Sendable {
    package var pid: Int32
    /// The program's name, as far as the kernel keeps it (15 bytes); its own to change.
    package var name: String
    /// One letter: R runs, S sleeps, D waits for a device, T was stopped, Z has ended, …
    package var state: Character
    package var parent: Int32
    package var group: Int32
    package var session: Int32
    package var threads: Int32
    /// When it started, in ticks since the machine did: with the pid, that is this process and no other.
    package var startTicks: UInt64
    /// What it consumed itself, its children not counted.
    package var cpuUS: UInt64
    package var rssBytes: UInt64

    /// Whether it has ended, and only waits to be collected.
    package var hasEnded: Bool { state == "Z" || state == "X" }
}

extension ProcessRecord {
    /// What units the kernel counts in on this machine.
    struct Units: Hashable, Sendable {
        var ticksPerSecond: UInt64
        var pageBytes: UInt64

        static func ofThisMachine() -> Units {
            Units(
                ticksPerSecond: UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))),
                pageBytes: UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))),
            )
        }
    }

    /// Reads the text of a `stat` file. The name stands in parentheses, and may contain anything: also
    /// parentheses, blanks and line feeds.
    init?(stat: [UInt8], units: Units) {
        guard let open = stat.firstIndex(of: UInt8(ascii: "(")),
            let close = stat.lastIndex(of: UInt8(ascii: ")")), open < close,
            let pid = Int32(
                Substring(Substring(decoding: stat[..<open], as: UTF8.self).utf8.dropLast())
            )
        else { return nil }
        let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " "))
            .map { String(decoding: $0, as: UTF8.self) }
        // Numbered from 3 in proc_pid_stat(5), from 0 here.
        guard fields.count > 21, fields[0].count == 1, let state = fields[0].first,
            let parent = Int32(fields[1]), let group = Int32(fields[2]),
            let session = Int32(fields[3]), let user = UInt64(fields[11]),
            let system = UInt64(fields[12]), let threads = Int32(fields[17]),
            let start = UInt64(fields[19]), let pages = UInt64(fields[21])
        else { return nil }
        let ticks = user &+ system
        self.init(
            pid: pid,
            name: String(decoding: stat[(open + 1)..<close], as: UTF8.self),
            state: state,
            parent: parent,
            group: group,
            session: session,
            threads: threads,
            startTicks: start,
            cpuUS: ticks &* (1_000_000 / units.ticksPerSecond),
            rssBytes: pages &* units.pageBytes,
        )
    }

    /// The process that has this number now; nil: none has, or /proc doesn't show it to us.
    package static func read(_ pid: Int32) -> ProcessRecord? {
        read(pid, units: .ofThisMachine())
    }

    static func read(_ pid: Int32, units: Units) -> ProcessRecord? {
        guard let stat = try? Files.readSmall("/proc/\(pid)/stat", max: statBytesMax) else {
            return nil
        }
        return ProcessRecord(stat: stat, units: units)
    }

    private static let statBytesMax = 4096
}

/// The machine's processes, as they were for a moment each.
package struct ProcessTable: Sendable {
    /// By rising pid.
    package let processes: [ProcessRecord]
    private let children: [Int32: [ProcessRecord]]
    private let sessions: [Int32: [ProcessRecord]]

    /// What is in a table.
    package init(_ processes: [ProcessRecord]) {
        self.processes = processes.sorted { $0.pid < $1.pid }
        children = Dictionary(grouping: self.processes, by: \.parent)
        sessions = Dictionary(grouping: self.processes, by: \.session)
    }

    /// Reads all that /proc shows to us. One that starts or ends meanwhile may be in it or not.
    package static func snapshot() -> ProcessTable {
        let units = ProcessRecord.Units.ofThisMachine()
        let pids = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }
        return ProcessTable(pids.compactMap { ProcessRecord.read($0, units: units) })
    }

    /// The children of a process, and theirs, and so on; by rising pid, without itself. Not those
    /// whose parent has ended: another process is their parent now.
    package func descendants(of pid: Int32) -> [ProcessRecord] { descendants(of: [pid]) }

    /// Those of all of these, each once, and none of these itself.
    package func descendants(of pids: Set<Int32>) -> [ProcessRecord] {
        var found: [ProcessRecord] = []
        var seen = pids
        var open = Array(pids)
        while let parent = open.popLast() {
            // A number that was used again meanwhile could make a ring of the tree.
            for child in children[parent] ?? [] where seen.insert(child.pid).inserted {
                found.append(child)
                open.append(child.pid)
            }
        }
        return found.sorted { $0.pid < $1.pid }
    }

    /// The processes of a session, by rising pid.
    package func members(ofSession session: Int32) -> [ProcessRecord] {
        sessions[session] ?? []
    }
}
