internal import CLinux
internal import Glibc

/// What a process consumed.
package struct ProcessUsage: Hashable, Sendable {
    package var userUS: UInt64
    package var systemUS: UInt64
    /// The most memory that it, or a child that it waited for, had resident.
    package var maxRSSBytes: UInt64

    package init(userUS: UInt64 = 0, systemUS: UInt64 = 0, maxRSSBytes: UInt64 = 0) {
        self.userUS = userUS
        self.systemUS = systemUS
        self.maxRSSBytes = maxRSSBytes
    }
}

/// How a process ended.
package struct ProcessEnd: Hashable, Sendable {
    /// What it returned, 0–255; nil: a signal killed it.
    package var code: Int32?
    /// The signal that killed it; 0: none did.
    package var signal: Int32
    package var coreDumped: Bool
    package var usage: ProcessUsage

    package init(
        code: Int32?,
        signal: Int32 = 0,
        coreDumped: Bool = false,
        usage: ProcessUsage = ProcessUsage(),
    ) {
        self.code = code
        self.signal = signal
        self.coreDumped = coreDumped
        self.usage = usage
    }

    init?(_ end: el_end) {
        guard end.ended else { return nil }
        code = end.signal == 0 ? end.code : nil
        signal = end.signal
        coreDumped = end.core_dumped
        usage = ProcessUsage(
            userUS: end.user_us,
            systemUS: end.system_us,
            maxRSSBytes: end.max_rss_bytes,
        )
    }
}

/// A process that we started: the leader of its own session and process group.
///
/// Must be collected; one that goes away uncollected stays a zombie for as long as we live.
package struct ChildProcess: ~Copyable, Sendable {
    /// Its number; another's, sooner or later, once it was collected.
    package let pid: Int32
    private let pidfd: Descriptor

    init(pid: Int32, pidfd: consuming Descriptor) {
        self.pid = pid
        self.pidfd = consume pidfd
    }

    /// Has `handler` told on the loop (which must be current) when the process has ended: readable.
    /// Deregister then, since that lasts, and before this value goes away.
    package borrowing func register(
        on loop: EventLoop,
        _ handler: any ReadinessHandler,
    ) throws(Errno) -> Registration {
        try loop.register(pidfd, for: .readable, handler)
    }

    /// Sends a signal to the process, or to its whole group, which may outlive it. ESRCH: nobody is
    /// left. The group's number cannot be another's while it has a member.
    package borrowing func signal(_ signal: Int32, group: Bool) throws(Errno) {
        let number = pidfd.number
        try SystemCall.value {
            group ? el_signal_group(number, pid, signal) : el_signal_process(number, signal)
        }
    }

    /// Collects the process, without waiting; nil: it runs. ECHILD: it was collected before, here or
    /// by somebody else in this process.
    package borrowing func collect() throws(Errno) -> ProcessEnd? {
        let number = pidfd.number
        var end = el_end()
        try SystemCall.value { el_collect(number, &end) }
        return ProcessEnd(end)
    }

    /// How the process ended, where somebody else collected it; nil: the kernel doesn't know. Its
    /// usage is lost. An error: the kernel can't tell (before Linux 6.15).
    package borrowing func endAfterCollection() throws(Errno) -> ProcessEnd? {
        let number = pidfd.number
        var end = el_end()
        try SystemCall.value { el_end_after_collection(number, &end) }
        return ProcessEnd(end)
    }
}

/// What this process is to its descendants.
package enum Subreaper {
    /// Orphans among our descendants become our children, instead of the machine's first process's.
    package static func enable() throws(Errno) {
        try SystemCall.value { el_become_subreaper() }
    }
}

/// What this process may use.
package enum ResourceLimits {
    /// The limit of open descriptors. Read before it is raised, it is what children are to be given:
    /// programs that use select(2), or go through all numbers, expect the usual one.
    package static var openFiles: ResourceLimit {
        var limit = rlimit()
        let answer = getrlimit(__rlimit_resource_t(ResourceLimit.openFiles), &limit)
        precondition(answer == 0, "every process has a limit of descriptors: \(Errno(errno))")
        return ResourceLimit(
            resource: ResourceLimit.openFiles,
            soft: UInt64(limit.rlim_cur),
            hard: UInt64(limit.rlim_max),
        )
    }

    /// Raises the soft limit of open descriptors to the hard one; answers the limit then in force.
    /// Children inherit it: say otherwise in `SpawnRequest.resourceLimits`.
    @discardableResult
    package static func raiseOpenFiles() -> UInt64 {
        let limit = el_raise_open_files()
        precondition(
            limit >= 0,
            "every process has a limit of descriptors: \(Errno(Int32(-limit)))"
        )
        return UInt64(limit)
    }
}
