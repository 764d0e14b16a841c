internal import Synchronization

/// What cgroup v2 tells about a group.
package struct CgroupState: Hashable, Sendable {
    /// A process is in it, or in a group below.
    package var isPopulated: Bool
    /// All its processes stand still.
    package var isFrozen: Bool

    package init(isPopulated: Bool, isFrozen: Bool) {
        self.isPopulated = isPopulated
        self.isFrozen = isFrozen
    }
}

/// A group of processes that none of them leaves by itself: whatever they start is in it too.
///
/// Made by `Cgroups.make`. It may consist of several directories: one in the unified hierarchy
/// (cgroup v2), which tells and does everything, and one in each hierarchy of cgroup v1 that had to
/// be asked for a limit. Each holds a descriptor, so let go of a group once it is removed.
/// Any thread; what is asked of a group that was removed reaches no other one.
package final class Cgroup: Sendable {
    /// One directory of the group.
    struct Part: Sendable {
        let directory: CgroupDirectory
        /// Where it was made, and as what: "container/exec".
        let base: CgroupDirectory
        let container: String
        let name: String
    }

    /// Nil: this machine has no cgroup v2, or not for us.
    let unified: Part?
    let v1: [Part]
    /// `cgroup.kill` was written.
    private let wasKilled = Atomic(false)

    init(unified: Part?, v1: [Part] = []) {
        precondition(unified != nil || !v1.isEmpty, "a cgroup has a directory")
        self.unified = unified
        self.v1 = v1
    }

    /// Kills all that is in the group, whatever they start meanwhile. False: this kernel can't (before
    /// Linux 5.14, or cgroup v1): use `signal`, and again until nobody is left.
    package func kill() throws(Errno) -> Bool {
        wasKilled.store(true, ordering: .relaxed)
        return try order("1", "cgroup.kill")
    }

    /// Whether a process must not be born in the group, but has to enter it. From Linux 6.14 on the kernel
    /// kills a newborn where the group that it is born in, or its parent's, was once written `cgroup.kill`,
    /// and the other was not as often.
    var killsNewborns: Bool {
        wasKilled.load(ordering: .relaxed)
            || unified?.base.killsNewborns.load(ordering: .relaxed) == true
    }

    /// A process was killed when it was born in the group: so would others be in all groups of this base.
    func noteNewbornsKilled() {
        unified?.base.killsNewborns.store(true, ordering: .relaxed)
    }

    /// Makes all that is in the group stand still, or asks for it: `state` and a `CgroupWatch` tell when
    /// it has come to that. False: this kernel can't (before Linux 5.2, or cgroup v1).
    package func freeze() throws(Errno) -> Bool {
        try order("1", "cgroup.freeze")
    }

    /// Undoes `freeze`. False: as there.
    package func thaw() throws(Errno) -> Bool {
        try order("0", "cgroup.freeze")
    }

    /// Nil: there is no cgroup v2 to tell, or the group was removed.
    package var state: CgroupState? {
        guard let unified, let text = try? unified.directory.text(of: Cgroup.eventsFile) else {
            return nil
        }
        return CgroupState(events: text)
    }

    /// Whether somebody is in the group, or in one below; also where that can't be told now (no
    /// descriptor is left), since nobody must be taken for gone who may be there.
    package var isPopulated: Bool {
        guard let unified else { return !processes.isEmpty }
        do throws(Errno) {
            return CgroupState(events: try unified.directory.text(of: Cgroup.eventsFile))
                .isPopulated
        } catch {
            return unified.directory.isThere
        }
    }

    /// The processes in the group and those below it that they made, by rising pid. Nobody keeps
    /// them: one may have ended, and another have started, by the time that this returns.
    package var processes: [Int32] { whole.processes() }

    /// Sends a signal to each process in the group that there is now and that `isMeant`; answers to how
    /// many. A pid that became another's meanwhile is not hit.
    @discardableResult
    package func signal(_ signal: Int32, where isMeant: (Int32) -> Bool = { _ in true }) -> Int {
        whole.references().count { isMeant($0.pid) && (try? $0.signal(signal)) != nil }
    }

    /// Whether it tells when its state changes (`CgroupWatch`): cgroup v2.
    package var isWatchable: Bool { unified != nil }

    /// Removes the group and those below it; false: something is in it still. What ended but is not
    /// collected doesn't count. One caller at a time.
    @discardableResult
    package func remove() -> Bool {
        var isRemoved = true
        for part in [unified].compactMap(\.self) + v1 where !Cgroup.remove(part) {
            isRemoved = false
        }
        return isRemoved
    }

    static let eventsFile = "cgroup.events"

    /// Any of its directories: all have the same processes.
    private var whole: CgroupDirectory {
        guard let part = unified ?? v1.first else { preconditionFailure("see init") }
        return part.directory
    }

    private func order(_ text: String, _ file: String) throws(Errno) -> Bool {
        guard let unified else { return false }
        do throws(Errno) {
            try unified.directory.write(text, to: file)
            return true
        } catch .notFound {
            // Of a group that is gone nothing is left to do.
            return !unified.directory.isThere
        }
    }

    private static func remove(_ part: Part) -> Bool {
        // By its name only while it has it: another group may be called so by now.
        guard part.directory.isThere else { return true }
        part.directory.removeSubgroups()
        do throws(Errno) {
            try part.base.removeSubgroup("\(part.container)/\(part.name)")
        } catch {
            return false
        }
        // The container's goes with the last exec's.
        try? part.base.removeSubgroup(part.container)
        return true
    }
}

extension CgroupState {
    /// Reads the text of `cgroup.events`.
    init(events: String) {
        let lines = events.utf8.split(separator: UInt8(ascii: "\n")).map { Substring($0) }
        isPopulated = lines.contains("populated 1")
        isFrozen = lines.contains("frozen 1")
    }
}

extension CgroupDirectory {
    /// Each process in the group and those below, in a form that can't become another's.
    func references() -> [ProcessReference] {
        let opened = processes().compactMap { pid in
            (try? ProcessReference(pid: pid)).map { (pid: pid, reference: $0) }
        }
        // Who is in it still, after it was opened, is who was opened.
        let still = Set(processes())
        return opened.filter { still.contains($0.pid) }.map(\.reference)
    }
}
