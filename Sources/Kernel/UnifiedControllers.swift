/// Hands controllers of the unified hierarchy down from our own group to the base, once each.
///
/// The kernel refuses that for most controllers while a process is in the group that hands down. If
/// that is us, and nobody else, we move to a group beside the base: `execstream.<pid>.server`.
struct UnifiedControllers {
    private let base: CgroupBase
    private let pid: Int32
    private var handedDown: Set<CgroupController> = []
    /// What our own group did not hand down before.
    private var enabled: [String] = []
    private var isAside = false

    static let file = "cgroup.subtree_control"

    init(base: CgroupBase, pid: Int32) {
        self.base = base
        self.pid = pid
    }

    /// Makes groups in the base's groups have this controller; false: our own group has it not.
    mutating func handDown(_ controller: CgroupController) throws(CgroupFailure) -> Bool {
        if handedDown.contains(controller) { return true }
        do throws(Errno) {
            let offered = try base.own.words(in: "cgroup.controllers")
            guard offered.contains(controller.rawValue) else { return false }
            // Not where it is so already, since the file may be another user's.
            if try !base.own.words(in: UnifiedControllers.file).contains(controller.rawValue) {
                try enable(controller.rawValue)
            }
            try base.directory.write("+\(controller.rawValue)", to: UnifiedControllers.file)
        } catch .busy {
            throw CgroupFailure(
                controller,
                .busy,
                because: "others are in this process's own cgroup"
            )
        } catch {
            throw CgroupFailure(controller, error)
        }
        handedDown.insert(controller)
        return true
    }

    /// Undoes it in our own group, once the base is gone, and comes back to it.
    func takeBack() {
        for controller in enabled.reversed() {
            try? base.own.write("-\(controller)", to: UnifiedControllers.file)
        }
        if !isAside { return }
        try? base.own.write("0", to: "cgroup.procs")
        try? base.own.removeSubgroup(asideName)
    }

    /// EBUSY: others are in our own group.
    mutating func enable(_ controller: String) throws(Errno) {
        do throws(Errno) {
            try base.own.write("+\(controller)", to: UnifiedControllers.file)
        } catch .busy {
            try stepAside()
            try base.own.write("+\(controller)", to: UnifiedControllers.file)
        }
        enabled.append(controller)
    }

    private mutating func stepAside() throws(Errno) {
        // 0, one that we don't see, is somebody else too.
        guard !isAside, base.own.ownProcesses() == [pid] else { throw .busy }
        do throws(Errno) {
            try base.own.makeSubgroup(asideName)
        } catch .exists {}
        // 0 is whoever writes.
        try base.own.write("0", to: "\(asideName)/cgroup.procs")
        isAside = true
    }

    private var asideName: String { "execstream.\(pid).\(CgroupLeftover.serverSuffix)" }
}
