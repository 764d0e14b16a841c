/// The group in which a process's groups are made, in one hierarchy:
/// `<own group>/execstream.<pid>.<start>.<namespace>`, see `ServerMark`.
///
/// The name tells whether the process still lives, to who looks from the same process namespace. The
/// directory's lock tells it to the others: it is held for as long as this lives. Anybody may open the
/// directory and hold the lock after that, so it only ever keeps a group from being ended.
final class CgroupBase: Sendable {
    let own: CgroupDirectory
    let name: String
    let directory: CgroupDirectory

    /// Makes a base of this process's own; a name that is in use gets a number behind it.
    init(in own: CgroupDirectory, mark: ServerMark) throws(Errno) {
        let wanted = CgroupLeftover.name(of: mark)
        for attempt in 1...CgroupBase.attemptsMax {
            let name = attempt == 1 ? wanted : "\(wanted).\(attempt)"
            do throws(Errno) {
                let directory = try own.newSubgroup(name)
                // Somebody may have had the lock first, for no good reason: the name says enough.
                _ = try? directory.lock()
                // Who cleans up in another process namespace may have removed it.
                guard directory.isThere else { continue }
                self.own = own
                self.name = name
                self.directory = directory
                return
            } catch .exists {
                continue
            } catch .notFound where own.isThere {
                continue
            }
        }
        throw .exists
    }

    /// Makes the group `<container>/<exec>`.
    func make(container: String, exec: String) throws(Errno) -> Cgroup.Part {
        let container = CgroupBase.escaped(container)
        let exec = CgroupBase.escaped(exec)
        for attempt in 1...CgroupBase.attemptsMax {
            // An earlier exec of that name may still have something running. No name has a "~".
            let name = attempt == 1 ? exec : "\(exec)~\(attempt)"
            do throws(Errno) {
                do throws(Errno) {
                    try directory.makeSubgroup(container)
                } catch .exists {}
                return Cgroup.Part(
                    directory: try directory.newSubgroup("\(container)/\(name)"),
                    base: directory,
                    container: container,
                    name: name,
                )
            } catch .exists {
                continue
            } catch .notFound where directory.isThere {
                // The container's last exec went just now, and its group with it.
                continue
            } catch {
                // Where nobody else's is in it.
                try? directory.removeSubgroup(container)
                throw error
            }
        }
        throw .exists
    }

    /// Removes the base, and the groups in it that are empty; false: one isn't.
    func remove() -> Bool {
        // By its name only while it has it: another base may be called so by now.
        guard directory.isThere else { return true }
        directory.removeSubgroups()
        return (try? own.removeSubgroup(name)) != nil
    }

    private static let attemptsMax = 1000

    /// A name that no file of the kernel has, now or in the future: those have a ".", but for three.
    static func escaped(_ name: String) -> String {
        precondition(
            !name.isEmpty && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0),
            "a group's name is one part of a path",
        )
        let isTaken = ["tasks", "notify_on_release", "release_agent"].contains(name)
        let mustEscape = isTaken || name.hasPrefix("_") || name.utf8.contains(UInt8(ascii: "."))
        return mustEscape ? "_\(name)" : name
    }
}
