internal import Glibc

/// What the name of a group says about a server that made it.
enum CgroupLeftover: Hashable {
    /// It has execs: "execstream.<pid>.<start>.<namespace>", perhaps with ".<number>" behind it.
    case base(ServerMark)
    /// It has execs of an earlier version's: "execstream.<pid>" or "execstream.<pid>.<number>".
    case unmarkedBase
    /// It has, or had, a server: "execstream.<pid>.server".
    case server

    static let serverSuffix = "server"

    static func name(of mark: ServerMark) -> String {
        "execstream.\(mark.text)"
    }

    /// Nil: the name is somebody else's.
    init?(name: String) {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .map { Substring($0) }
        guard (2...5).contains(parts.count), parts[0] == "execstream",
            CgroupLeftover.isNumber(parts[1])
        else { return nil }
        if parts.count == 3, parts[2] == CgroupLeftover.serverSuffix {
            self = .server
            return
        }
        guard parts.dropFirst().allSatisfy({ CgroupLeftover.isNumber($0) }) else { return nil }
        if parts.count <= 3 {
            self = .unmarkedBase
            return
        }
        guard let mark = ServerMark(parts[1...3].joined(separator: ".")) else { return nil }
        self = .base(mark)
    }

    private static func isNumber(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

extension Cgroups {
    /// Kills what servers left behind that were killed themselves, and removes their groups; answers
    /// how many processes that were. To be called at the start.
    ///
    /// Touches only groups in our own ones, with names of our form, whose server has ended. Waits for
    /// those killed, at most `timeout`; what has not ended by then is left to the next start.
    package func removeLeftovers(atMost timeout: Duration = .seconds(2)) -> Int {
        let deadline = SystemClocks().now + timeout
        let leftovers = own.flatMap { Cgroups.leftovers(in: $0) }
        // Who is frozen by one hierarchy of cgroup v1 could not be killed by way of another.
        for leftover in leftovers { leftover.group.thawV1() }
        var killed: Set<Int32> = []
        for leftover in leftovers {
            killed.formUnion(leftover.group.killAll(by: deadline))
            leftover.group.removeSubgroups()
            try? leftover.own.removeSubgroup(leftover.name)
        }
        return killed.count
    }

    /// A base whose server is gone.
    private struct Leftover {
        let own: CgroupDirectory
        let name: String
        let group: CgroupDirectory
    }

    private static func leftovers(in own: CgroupDirectory) -> [Leftover] {
        var found: [Leftover] = []
        for name in (try? own.subgroups()) ?? [] {
            let hasEnded: Bool?
            switch CgroupLeftover(name: name) {
            case .base(let mark): hasEnded = mark.hasEnded
            case .unmarkedBase: hasEnded = nil
            case .server:
                // Refused where a server is in it.
                try? own.removeSubgroup(name)
                continue
            case nil: continue
            }
            guard hasEnded != false, let group = try? own.subgroup(name),
                // A server that can't be looked up has the lock for as long as it lives.
                hasEnded == true || (try? group.lock()) == true,
                group.isThere, !group.processes().contains(getpid())
            else { continue }
            found.append(Leftover(own: own, name: name, group: group))
        }
        return found
    }
}

extension CgroupDirectory {
    /// Kills all in the group and those below, and waits until they have ended, or until the deadline.
    /// Answers who that was.
    func killAll(by deadline: Instant) -> Set<Int32> {
        var killed: Set<Int32> = []
        while true {
            let references = references()
            // Also whom we don't see; refused by cgroup v1.
            try? write("1", to: "cgroup.kill")
            if references.isEmpty { return killed }
            for reference in references {
                killed.insert(reference.pid)
                try? reference.signal(SIGKILL)
            }
            for reference in references {
                let left = deadline - SystemClocks().now
                if !reference.waitForEnd(atMost: left) { return killed }
            }
        }
    }

    /// Thaws the group and those below, if this is the freezer of cgroup v1.
    func thawV1() {
        guard has(FreezerGroup.stateFile) else { return }
        forEachSubgroup { parent, name in
            try? parent.write(FreezerGroup.thawed, to: "\(name)/\(FreezerGroup.stateFile)")
        }
    }
}
