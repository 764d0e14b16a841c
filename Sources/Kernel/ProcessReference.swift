internal import CLinux

/// A process that need not be our child, by a descriptor: its number can become another's, this can't.
package final class ProcessReference: Sendable {
    package let pid: Int32
    private let pidfd: Descriptor

    /// Whoever has the number now. ESRCH: nobody.
    init(pid: Int32) throws(Errno) {
        self.pid = pid
        pidfd = Descriptor(owning: try SystemCall.value { el_open_process(pid) })
    }

    /// The process of that number that started then (`ProcessRecord.startTicks`). ESRCH: it is gone,
    /// and whoever has the number now is not touched.
    package convenience init(pid: Int32, startTicks: UInt64) throws(Errno) {
        try self.init(pid: pid)
        // After opening: the one that has the number before and after had it in between.
        guard ProcessRecord.read(pid)?.startTicks == startTicks else { throw .noSuchProcess }
    }

    /// Sends a signal. ESRCH: it has ended.
    package func signal(_ signal: Int32) throws(Errno) {
        try SystemCall.value { el_signal_process(pidfd.number, signal) }
    }

    /// Has `handler` told on the loop (which must be current) when the process has ended: readable.
    /// Deregister then, since that lasts, and before this object goes away.
    package func register(
        on loop: EventLoop,
        _ handler: any ReadinessHandler,
    ) throws(Errno) -> Registration {
        try loop.register(pidfd, for: .readable, handler)
    }

    /// Waits until the process has ended, at most so long; false: it hasn't. Blocks the thread.
    func waitForEnd(atMost timeout: Duration) -> Bool {
        pidfd.waitUntilReadable(atMost: timeout)
    }
}
