internal import Kernel

/// What a process has started, as its cgroup holds it: nothing leaves that by itself.
final class CgroupOffspring: Offspring {
    private let leader: Int32
    /// Nil: it was removed.
    private var cgroup: Cgroup?
    private var watch: CgroupWatch?
    private var waiting: [() -> Void] = []

    init(of leader: Int32, in cgroup: Cgroup) {
        (self.leader, self.cgroup) = (leader, cgroup)
    }

    var isEmpty: Bool { cgroup?.isPopulated != true }

    var pids: [Int32] { (cgroup?.processes ?? []).filter { $0 != leader } }

    /// The cgroup remembers.
    func note() {}

    func signalOutsiders(_ number: Int32) {
        cgroup?.signal(number) { ProcessRecord.read($0)?.group != leader }
    }

    func kill() {
        guard let cgroup, (try? cgroup.kill()) != true else { return }
        // An older kernel: again and again, until nobody is left who could start another.
        while cgroup.signal(Signals.kill) > 0, cgroup.isPopulated {}
    }

    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void) {
        waiting.append(alone)
        if watch == nil, let cgroup {
            watch = try? CgroupWatch(cgroup, on: loop) { [self] state in
                if !state.isPopulated { tell() }
            }
        }
        // It may have become empty before it was watched; or it is gone, and can't be.
        if watch?.state.isPopulated != true { tell() }
    }

    func forgetCgroup() { cgroup = nil }

    private func tell() {
        watch?.cancel()
        watch = nil
        let told = waiting
        waiting = []
        for tell in told { tell() }
    }
}
