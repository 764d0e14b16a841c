internal import ExecModel
internal import Kernel

/// A child of this process, watched by its pidfd, with the cgroup that holds it and its offspring
/// where one could be had. Holds no descriptor once both are gone.
final class LocalProcess: ProcessHandle, ReadinessHandler {
    let pid: Int32
    let offspring: any Offspring
    private var child: ChildProcess?
    private var cgroup: Cgroup?
    private let services: LocalProcessServices
    private var cgroupFreezer: CgroupFreezer?
    /// Frozen now, by cgroup v1.
    private var freezerGroup: FreezerGroup?
    private let key: ExecKey
    private let startedAt: Instant
    /// Below this the child's peak of memory is not its own: see `truePeak`.
    private let peakFloor: UInt64
    private var gone: (() -> Void)?
    private var loop: EventLoop?
    private var registration: Registration?

    /// `startedAt` is from before the start.
    init(
        _ child: consuming ChildProcess,
        of key: ExecKey,
        cgroup: Cgroup?,
        mark: ProcessMark?,
        startedAt: Instant,
        services: LocalProcessServices,
    ) {
        self.key = key
        pid = child.pid
        self.cgroup = cgroup
        self.services = services
        self.startedAt = startedAt
        peakFloor = ThisProcess.peakMemoryBytes
        if let cgroup, cgroup.isWatchable {
            offspring = CgroupOffspring(of: child.pid, in: cgroup)
            cgroupFreezer = CgroupFreezer(cgroup)
        } else {
            offspring = TracedOffspring(of: child.pid, mark: mark, cgroup: cgroup)
            cgroupFreezer = nil
        }
        self.child = consume child
    }

    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) throws(Errno) {
        registration = try child.lend { (child) throws(Errno) in
            try child.register(on: loop, self)
        }
        self.loop = loop
        self.gone = gone
    }

    func ready(_ readiness: Readiness) {
        if let registration { loop?.deregister(registration) }
        registration = nil
        let tell = gone
        gone = nil
        tell?()
    }

    func signal(_ number: Int32, group: Bool) throws(Errno) {
        try child.lend { (child) throws(Errno) in try child.signal(number, group: group) }
    }

    func freeze(_ done: @escaping (Result<FreezeMethod, Errno>) -> Void) {
        if let cgroupFreezer, let loop { return cgroupFreezer.freeze(on: loop, done) }
        if let group = services.makeFreezer(of: key) {
            freezerGroup = group
            _ = group.freeze { [self] in [pid] + offspring.pids }
            return done(.success(.cgroup))
        }
        signalAll(Signals.stop)
        done(.success(.stopSignal))
    }

    @discardableResult
    func thaw() -> FreezeMethod {
        if let cgroupFreezer {
            cgroupFreezer.thaw()
            return .cgroup
        }
        if let group = freezerGroup.take() {
            _ = group.thaw()
            return .cgroup
        }
        signalAll(Signals.proceed)
        return .stopSignal
    }

    /// Without a cgroup: its group, and whoever has left that.
    private func signalAll(_ number: Int32) {
        try? signal(number, group: true)
        offspring.signalOutsiders(number)
    }

    func consumption() -> Consumption {
        Consumption(of: [pid] + offspring.pids, in: cgroup)
    }

    // MARK: The end

    func collect(_ done: @escaping (ProcessEnding) -> Void) {
        do throws(Errno) {
            let collected = try child.lend { (child) throws(Errno) in try child.collect() }
            guard let end = collected ?? nil else {
                return done(.unknown("its exit status can't be had: it still runs"))
            }
            services.children.collected(pid)
            finish(end, done)
        } catch .noChild {
            services.children.collected(pid)
            collectElsewhere(done)
        } catch {
            done(.unknown("its exit status can't be had: \(error)"))
        }
    }

    /// Somebody else in this program has waited for any child, and got ours. The kernel tells its
    /// status to us too (Linux 6.15), as soon as whoever took it is through; else its taker may.
    private func collectElsewhere(_ done: @escaping (ProcessEnding) -> Void) {
        let time = services.options.exitStatusWait
        let deadline = SystemClocks().now + time
        if services.options.asksKernelForStatus, askKernel(until: deadline, done) { return }
        guard let cache = services.options.exitStatuses, let loop else { return giveUp(done) }
        cache.take(pid, startedAt: startedAt, within: time, on: loop) { [self] end in
            if let end { finish(end, done) } else { giveUp(done) }
        }
    }

    /// False: this kernel can't tell.
    private func askKernel(until deadline: Instant, _ done: @escaping (ProcessEnding) -> Void)
        -> Bool
    {
        do throws(Errno) {
            let told = try child.lend { (child) throws(Errno) in try child.endAfterCollection() }
            if let end = told ?? nil {
                finish(end, done)
            } else if let loop, SystemClocks().now < deadline {
                loop.schedule(after: .milliseconds(1)) { [self] in
                    _ = askKernel(until: deadline, done)
                }
            } else {
                giveUp(done)
            }
            return true
        } catch {
            return false
        }
    }

    private func giveUp(_ done: (ProcessEnding) -> Void) {
        release()
        done(
            .unknown(
                "another part of the server's program has taken its exit status, and not told it"
            )
        )
    }

    private func finish(_ end: ProcessEnd, _ done: (ProcessEnding) -> Void) {
        var end = end
        end.usage.maxRSSBytes = truePeak(end.usage.maxRSSBytes)
        let passedMemory = end.signal == Signals.kill && (cgroup?.memoryLimitKills ?? 0) > 0
        release()
        done(.ended(end, limit: passedMemory ? "memory" : nil))
    }

    /// The cgroup goes when the last process in it has gone: nearly always now.
    private func release() {
        child = nil
        guard let cgroup, let loop else { return }
        let isRemoved = cgroup.remove()
        if !isRemoved {
            offspring.whenEmpty(on: loop) { [self] in forgetCgroup(cgroup.remove()) }
        }
        forgetCgroup(isRemoved)
    }

    private func forgetCgroup(_ isRemoved: Bool) {
        guard isRemoved else { return }
        cgroup = nil
        cgroupFreezer = nil
        offspring.forgetCgroup()
    }

    /// Until it ran its program the child shared our memory, and the kernel counts that as its own
    /// peak. What is not above ours can't be told: 0.
    private func truePeak(_ bytes: UInt64) -> UInt64 { bytes > peakFloor ? bytes : 0 }
}
