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
    private let census: ProcessCensus
    private var cgroupFreezer: CgroupFreezer?
    private var memoryKillsBefore: UInt64 = 0
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
        census = ProcessCensus(services.measurements)
        self.startedAt = startedAt
        peakFloor = ThisProcess.peakMemoryBytes
        if let cgroup, cgroup.isWatchable {
            offspring = CgroupOffspring(of: child.pid, in: cgroup)
            cgroupFreezer = CgroupFreezer(cgroup)
        } else {
            offspring = TracedOffspring(
                of: child.pid,
                mark: mark,
                cgroup: cgroup,
                indexes: services.indexes
            )
            cgroupFreezer = nil
        }
        self.child = consume child
    }

    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) throws(Errno) {
        self.loop = loop
        registration = try child.lend { (child) throws(Errno) in
            try child.register(on: loop, self)
        }
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
        if number == Signals.kill {
            // What the kernel has killed before for its memory does not explain what comes.
            memoryKillsBefore = cgroup?.memoryLimitKills ?? 0
        }
        try child.lend { (child) throws(Errno) in try child.signal(number, group: group) }
        // Whom cgroup v1 has frozen can't even be killed.
        if number == Signals.kill { _ = try? thawFreezerGroup() }
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
    func thaw() throws(Errno) -> FreezeMethod {
        if let cgroupFreezer {
            try cgroupFreezer.thaw()
            return .cgroup
        }
        if try thawFreezerGroup() { return .cgroup }
        signalAll(Signals.proceed)
        return .stopSignal
    }

    /// False: cgroup v1 has frozen nothing here.
    private func thawFreezerGroup() throws(Errno) -> Bool {
        guard let group = freezerGroup else { return false }
        _ = try group.thaw()
        freezerGroup = nil
        return true
    }

    /// Without a cgroup: its group, and whoever has left that. Once it is collected, its group's number
    /// may be another's.
    private func signalAll(_ number: Int32) {
        let isThere: Void? = child.lend { child in try? child.signal(number, group: true) }
        offspring.signal(number, sparingGroup: isThere != nil)
    }

    func measure(on loop: EventLoop, _ done: @escaping (Consumption) -> Void) {
        let usage = cgroup?.usage
        if let usage, usage.tellsAll {
            return done(Consumption(usage, otherwise: Consumption()))
        }
        let others = offspring.finder
        let leader = child == nil ? [] : [pid]
        census.sum(
            over: { Array(Set(leader + others())) },
            withIO: usage?.tellsIO != true,
            on: loop
        ) { sum in done(Consumption(usage, otherwise: sum ?? Consumption())) }
    }

    // MARK: The end

    func collect(_ done: @escaping (ProcessEnding) -> Void) {
        collect(done, again: Self.collectTime.lowerBound)
    }

    /// `again`: when to try once more where it can't be collected yet. Who traces it is told first.
    private func collect(_ done: @escaping (ProcessEnding) -> Void, again: Duration) {
        do throws(Errno) {
            let collected = try child.lend { (child) throws(Errno) in try child.collect() }
            if let end = collected ?? nil {
                services.children.collected(pid)
                return finish(end, done)
            }
            guard let loop else { preconditionFailure("collected before it was watched") }
            loop.schedule(after: again) { [self] in
                collect(done, again: min(again * 2, Self.collectTime.upperBound))
            }
        } catch {
            // ECHILD; this call knows no other.
            services.children.collected(pid)
            collectElsewhere(done)
        }
    }

    private static let collectTime = Duration.milliseconds(5)...Duration.seconds(1)

    /// Somebody else in this program has waited for any child, and got ours. The kernel tells its
    /// status to us too (Linux 6.15), as soon as whoever took it is through; else its taker may.
    private func collectElsewhere(_ done: @escaping (ProcessEnding) -> Void) {
        if services.options.asksKernelForStatus {
            askKernel(until: SystemClocks().now + services.options.exitStatusWait, done)
        } else {
            askCache(done)
        }
    }

    private func askKernel(until deadline: Instant, _ done: @escaping (ProcessEnding) -> Void) {
        do throws(Errno) {
            let told = try child.lend { (child) throws(Errno) in try child.endAfterCollection() }
            if let end = told ?? nil { return finish(end, done) }
            guard let loop, SystemClocks().now < deadline else { return giveUp(done) }
            loop.schedule(after: .milliseconds(1)) { [self] in askKernel(until: deadline, done) }
        } catch {
            // This kernel can't tell.
            askCache(done)
        }
    }

    private func askCache(_ done: @escaping (ProcessEnding) -> Void) {
        guard let cache = services.options.exitStatuses, let loop else { return giveUp(done) }
        cache.take(
            pid,
            startedAt: startedAt,
            within: services.options.exitStatusWait,
            on: loop
        ) { [self] end in
            if let end { finish(end, done) } else { giveUp(done) }
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
        // Asked for only where it matters: that reads a file.
        let passedMemory =
            end.signal == Signals.kill && (cgroup?.memoryLimitKills ?? 0) > memoryKillsBefore
        release()
        done(.ended(end, limit: passedMemory ? "memory" : nil))
    }

    /// The cgroup goes when the last process in it has gone: nearly always now.
    private func release() {
        child = nil
        // Who waits for it to freeze need not wait any longer.
        cgroupFreezer?.giveUp()
        guard !removeCgroup(), let loop else { return }
        offspring.whenEmpty(on: loop) { [self] in
            // Refused for a moment where the last one is still on its way out.
            if !removeCgroup() {
                loop.schedule(after: .seconds(1)) { [self] in _ = removeCgroup() }
            }
        }
    }

    private func removeCgroup() -> Bool {
        guard cgroup?.remove() == true else { return cgroup == nil }
        cgroup = nil
        cgroupFreezer = nil
        offspring.forgetCgroup()
        return true
    }

    /// Until it ran its program the child shared our memory, and the kernel counts that as its own
    /// peak. What is not above ours can't be told: 0.
    private func truePeak(_ bytes: UInt64) -> UInt64 { bytes > peakFloor ? bytes : 0 }
}
