/// A group's state as an event of a loop. Needs cgroup v2.
package final class CgroupWatch: ReadinessHandler {
    private let events: Descriptor
    private let loop: EventLoop
    private let handler: (CgroupState) -> Void
    private var registration: Registration?
    /// As it was told last, or found at the start.
    package private(set) var state: CgroupState

    /// Calls `handler` on `loop` (which must be current) when the group's state has changed, until
    /// `cancel`. Quick changes may be told as one, also as none, and up to 10 ms late. The loop retains
    /// this. ENOENT: the group is gone, or there is no cgroup v2.
    ///
    /// Cancel it before the group is removed: the kernel may say nothing of that, and the loop would
    /// keep this for ever.
    package init(
        _ cgroup: Cgroup,
        on loop: EventLoop,
        handler: @escaping (CgroupState) -> Void,
    ) throws(Errno) {
        guard let unified = cgroup.unified else { throw .notFound }
        let events = try unified.directory.open(Cgroup.eventsFile)
        // What changes after this is told: the kernel compares with what this descriptor read.
        state = try CgroupWatch.read(events)
        self.events = events
        self.loop = loop
        self.handler = handler
        registration = try loop.register(self.events, for: .changed, self)
    }

    /// Ends the calls, if they haven't ended. On the loop.
    package func cancel() {
        if let registration = registration.take() { loop.deregister(registration) }
    }

    /// The loop's call.
    package func ready(_ readiness: Readiness) {
        guard registration != nil else { return }
        var now = CgroupState(isPopulated: false, isFrozen: false)
        do throws(Errno) {
            now = try CgroupWatch.read(events)
        } catch {
            // ENODEV: the group is removed. If that is told at all, it is told without end.
            cancel()
        }
        if now == state { return }
        state = now
        handler(now)
    }

    private static func read(_ events: borrowing Descriptor) throws(Errno) -> CgroupState {
        let bytes = try withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) {
            buffer throws(Errno) in
            let count = try events.pread(into: buffer, at: 0)
            return Array(buffer[..<count])
        }
        return CgroupState(events: String(decoding: bytes, as: UTF8.self))
    }
}
