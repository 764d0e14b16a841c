/// Processes that stand still by the freezer of cgroup v1, for machines without cgroup v2.
///
/// Made to pause and removed to go on: nothing is in it in between. A process that is frozen can't
/// even be killed before it is thawed. Any thread, one at a time.
package final class FreezerGroup: Sendable {
    private let part: Cgroup.Part
    /// Where the processes go back to.
    private let own: CgroupDirectory

    init(in base: CgroupBase, container: String, exec: String) throws(Errno) {
        own = base.own
        part = try base.make(container: container, exec: exec)
        do throws(Errno) {
            try part.directory.write("FROZEN", to: FreezerGroup.stateFile)
        } catch {
            _ = Cgroup(unified: nil, v1: [part]).remove()
            throw error
        }
    }

    /// Freezes what `list` names, and calls it again until it names nobody new: a process may start
    /// others before it is frozen itself; after that, they are born frozen. Answers to how many.
    package func freeze(_ list: () -> [Int32]) -> Int {
        var frozen: Set<Int32> = []
        for _ in 0..<FreezerGroup.passesMax {
            var isChanged = false
            for pid in list() where !frozen.contains(pid) {
                // Those that have ended can't be moved, and need not.
                guard (try? part.directory.write("\(pid)", to: "cgroup.procs")) != nil else {
                    continue
                }
                frozen.insert(pid)
                isChanged = true
            }
            if !isChanged { break }
        }
        return frozen.count
    }

    /// Whether all that are in it stand still by now.
    package var isFrozen: Bool {
        (try? part.directory.words(in: FreezerGroup.stateFile)) == ["FROZEN"]
    }

    /// The processes that are in it.
    package var processes: [Int32] { part.directory.processes() }

    /// Lets all go on, and removes the group; false: something is in it still. Throws where they stay
    /// frozen.
    package func thaw() throws(Errno) -> Bool {
        do throws(Errno) {
            try part.directory.write(FreezerGroup.thawed, to: FreezerGroup.stateFile)
        } catch .notFound {
            // Of a group that is gone nothing is left to do.
        }
        for _ in 0..<FreezerGroup.passesMax {
            let left = part.directory.processes()
            if left.isEmpty { break }
            for pid in left { try? own.write("\(pid)", to: "cgroup.procs") }
        }
        return Cgroup(unified: nil, v1: [part]).remove()
    }

    static let controller = "freezer"
    static let stateFile = "freezer.state"
    static let thawed = "THAWED"

    private static let passesMax = 100
}

extension Cgroups {
    /// Makes an empty group that freezes whom it is given; nil: there is no freezer of cgroup v1, or not
    /// for us. The names are as in `make`.
    package func makeFreezer(container: String, exec: String) -> FreezerGroup? {
        guard let base = try? v1Base(of: FreezerGroup.controller) else { return nil }
        return try? FreezerGroup(in: base, container: container, exec: exec)
    }
}
