internal import CLinux
internal import Glibc

/// One child that was made to run a program. Never waits. Not for two threads at once.
///
/// Until `isReported` the child may use the memory of this process: an attempt that has to go away before
/// leaks that memory.
final class SpawnAttempt {
    let pid: Int32
    private let memory: SpawnMemory
    private let block: OpaquePointer
    private var pidfd: Descriptor?
    private let report: Descriptor
    /// Whether the child was to be born in a cgroup, rather than to enter it.
    let isBornInCgroup: Bool
    private(set) var isReported = false
    /// Who is told when the child is collected.
    private let observer: (any SpawnObserver)?

    /// What has become of a child whose report is at its end.
    enum Verdict {
        /// It runs its program, or has been killed at the very moment.
        case runs
        /// It has ended, or is about to: it could not run its program.
        case failed(SpawnFailure)
        /// It was killed before its first instruction.
        case unborn
    }

    /// Makes the child. The descriptors stay the caller's, and are not needed after this.
    init(
        _ memory: SpawnMemory,
        standard: (Int32, Int32, Int32),
        cgroup: Cgroup?,
        entersCgroup: Bool,
        method: SpawnMethod,
        observer: (any SpawnObserver)?,
    ) throws(SpawnFailure) {
        var spawned = el_spawned()
        observer?.startBegins()
        let failure = Self.make(memory, standard, cgroup, entersCgroup, method, &spawned)
        observer?.startEnds(failure == nil ? spawned.pid : nil)
        if let failure { throw failure }
        self.memory = memory
        self.observer = observer
        guard let block = spawned.block else { preconditionFailure("a child has its block") }
        self.block = block
        pid = spawned.pid
        pidfd = Descriptor(owning: spawned.pidfd)
        report = Descriptor(owning: spawned.report)
        isBornInCgroup = cgroup?.unified != nil && !entersCgroup && method != .fork
    }

    /// Goes away uncollected only where its loop has ended: then it is ended here, if that is possible.
    deinit {
        let isThere = pidfd.lend { _ in true } ?? false
        guard isThere else { return }
        try? kill()
        if !isReported, report.waitUntilReadable(atMost: Self.lastWait) { _ = takeVerdict() }
        guard isReported else {
            _ = Unmanaged.passRetained(memory)
            return
        }
        _ = pidfd.lend { $0.waitUntilReadable(atMost: Self.lastWait) }
        _ = collect()
    }

    private static let lastWait = Duration.milliseconds(200)

    private static func make(
        _ memory: SpawnMemory,
        _ standard: (Int32, Int32, Int32),
        _ cgroup: Cgroup?,
        _ entersCgroup: Bool,
        _ method: SpawnMethod,
        _ spawned: inout el_spawned,
    ) -> SpawnFailure? {
        #if DEBUG
            if let fault = Faults.due(#fileID, #line) {
                return SpawnFailure(.clone, Errno(fault), of: memory)
            }
        #endif
        var c = memory.makeRequest(method)
        c.standard = standard
        if entersCgroup { c.flags |= UInt32(EL_SPAWN_ENTER_CGROUP) }
        var isAboutCgroup = false
        // The groups' directories stay open for as long as the group is here.
        let answer = withExtendedLifetime(cgroup) {
            c.cgroup = cgroup?.unified?.directory.number ?? -1
            let v1 = cgroup?.v1.map(\.directory.number) ?? []
            return v1.withUnsafeBufferPointer { v1 in
                c.v1_cgroups = v1.baseAddress
                c.v1_cgroup_count = v1.count
                return el_spawn_begin(&c, &spawned, &isAboutCgroup)
            }
        }
        guard answer < 0 else { return nil }
        return SpawnFailure(isAboutCgroup ? .cgroup : .clone, Errno(-answer), of: memory)
    }

    // MARK: The report

    /// Has `handler` told on the loop when the report is at its end.
    func registerReport(
        on loop: EventLoop,
        _ handler: any ReadinessHandler,
    ) throws(Errno) -> Registration {
        try loop.register(report, for: .readable, handler)
    }

    /// Blocks the thread until the report is at its end.
    func waitForReport() { while !report.waitUntilReadable(atMost: .seconds(3600)) {} }

    /// The verdict, once the report is at its end; nil: it is not. Called until it tells, once.
    func takeVerdict() -> Verdict? {
        precondition(!isReported, "a verdict is told once")
        var byte: UInt8 = 0
        let count = withUnsafeMutableBytes(of: &byte) { try? report.read(into: $0) }
        guard count == .some(0) else { return nil }
        isReported = true
        let progress = el_spawn_progress(block)
        el_spawn_end(block)
        if progress.has_failed != 0 { return .failed(SpawnFailure(progress, of: memory)) }
        if progress.is_born == 0 { return .unborn }
        // The program is run last of all: whoever is killed while the kernel loads it counts as the program.
        if progress.step == SpawnFailure.Step.execute.rawValue { return .runs }
        return .failed(SpawnFailure(killedIn: progress, of: memory))
    }

    /// Why a start that takes too long has failed: what the child is doing now.
    func timeout(after duration: Duration) -> SpawnFailure {
        let isStopped = ["T", "t"].contains(ProcessRecord.read(pid)?.state)
        return SpawnFailure(
            late: el_spawn_progress(block),
            isStopped: isStopped,
            after: duration,
            of: memory
        )
    }

    // MARK: The process

    /// Ends the child, wherever it is. It need not have ended when this returns.
    func kill() throws(Errno) {
        try pidfd.lend { (pidfd) throws(Errno) in
            let number = pidfd.number
            try SystemCall.value { el_signal_process(number, SIGKILL) }
        }
    }

    /// Hands over the process that runs; once.
    func takeProcess() -> ChildProcess {
        guard let pidfd = pidfd.take() else { preconditionFailure("the process was taken") }
        return ChildProcess(pid: pid, pidfd: pidfd)
    }

    /// Has `handler` told on the loop when the child has ended.
    func registerEnd(
        on loop: EventLoop,
        _ handler: any ReadinessHandler,
    ) throws(Errno) -> Registration {
        let registration = try pidfd.lend { (pidfd) throws(Errno) in
            try loop.register(pidfd, for: .readable, handler)
        }
        guard let registration else { preconditionFailure("the process was taken") }
        return registration
    }

    /// Blocks the thread until the child has ended, and collects it.
    func waitForEnd() {
        while !collect() {
            _ = pidfd.lend { $0.waitUntilReadable(atMost: .milliseconds(100)) }
        }
    }

    /// Collects the child; false: it has not ended. Once.
    func collect() -> Bool {
        let isCollected =
            pidfd.lend { (pidfd) -> Bool in
                var end = el_end()
                // ECHILD: somebody else in this process collects all children.
                return el_collect(pidfd.number, &end) != 0 || end.ended
            } ?? true
        guard isCollected else { return false }
        pidfd = nil
        observer?.collected(pid)
        return true
    }
}
