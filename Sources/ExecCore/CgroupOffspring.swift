internal import Kernel

/// What a process has started, as its cgroup holds it: nothing leaves that by itself.
final class CgroupOffspring: Offspring {
    private let leader: Int32
    /// Nil: it was removed.
    private var cgroup: Cgroup?
    private var watch: CgroupWatch?
    private var isKilling = false
    private var loop: EventLoop?
    private var timer: TimerID?
    private var waiting: [() -> Void] = []

    /// Where it can't be watched, it is looked at this often.
    private static let lookTime = Duration.milliseconds(50)

    init(of leader: Int32, in cgroup: Cgroup) {
        (self.leader, self.cgroup) = (leader, cgroup)
    }

    var pids: [Int32] { (cgroup?.processes ?? []).filter { $0 != leader } }

    var finder: @Sendable () -> [Int32] { { [cgroup] in cgroup?.processes ?? [] } }

    func tellIfEmpty(on loop: EventLoop, _ done: @escaping (Bool) -> Void) {
        done(cgroup?.isPopulated != true)
    }

    /// The cgroup remembers.
    func note() {}

    func signal(_ number: Int32, sparingGroup: Bool) {
        cgroup?.signal(number) { !sparingGroup || ProcessTable.group(of: $0) != leader }
    }

    func kill() {
        isKilling = true
        guard let cgroup, (try? cgroup.kill()) != true else { return }
        // An older kernel, or no descriptor is left: once now, and again until nobody is left.
        cgroup.signal(Signals.kill)
        if !waiting.isEmpty { lookLater() }
    }

    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void) {
        self.loop = loop
        waiting.append(alone)
        look()
    }

    func letGo() {}

    func forgetCgroup() { cgroup = nil }

    /// Tells who waits, or sees to it that it is looked at again.
    private func look() {
        guard let cgroup, let loop, cgroup.isPopulated else { return tell() }
        if watch == nil {
            watch = try? CgroupWatch(cgroup, on: loop) { [self] state in
                if !state.isPopulated { tell() }
            }
            // It may have become empty before it was watched.
            if watch?.state.isPopulated == false { return tell() }
        }
        if watch == nil || isKilling { lookLater() }
    }

    private func lookLater() {
        guard let loop, timer == nil else { return }
        timer = loop.schedule(after: Self.lookTime) { [self] in
            timer = nil
            if isKilling { kill() }
            look()
        }
    }

    private func tell() {
        watch?.cancel()
        watch = nil
        if let timer { loop?.cancel(timer) }
        timer = nil
        let told = waiting
        waiting = []
        for tell in told { tell() }
    }
}
