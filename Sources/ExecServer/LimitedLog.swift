internal import Kernel
internal import Synchronization

/// Writes what peers cause without being entitled to anything: refusals and faults, to the log and the
/// audit log. A peer can cause these as fast as it likes, so their number is limited for each network, and
/// for each identity; what was left out is told as a number. Any thread.
final class LimitedLog: Sendable {
    private let log: ServerLog
    private let audit: AuditLog
    private let clocks: any Clocks
    private let limiter = Mutex(LineLimiter())

    /// Events of one network in `LineLimiter.window`; an event may have a line in both logs.
    static let ofNetworkMax = 16
    /// Refused and failed calls of one identity.
    static let ofIdentityMax = 256

    init(log: ServerLog, audit: AuditLog, clocks: any Clocks) {
        (self.log, self.audit, self.clocks) = (log, audit, clocks)
    }

    /// Calls `write`, or counts that it was left out. `loop` runs the timer that tells the count.
    func write(about network: PeerNetwork, on loop: EventLoop, _ write: () -> Void) {
        self.write(network.name, max: Self.ofNetworkMax, on: loop, write)
    }

    /// The same for a call of an identity that was refused or failed.
    func write(about identity: Identity, on loop: EventLoop, _ write: () -> Void) {
        self.write("token:\(identity.name)", max: Self.ofIdentityMax, on: loop, write)
    }

    private func write(_ wanted: String, max: Int, on loop: EventLoop, _ write: () -> Void) {
        let now = clocks.now
        let (key, verdict) = limiter.withLock { limiter in
            let key = limiter.key(wanted, at: now)
            return (key, limiter.add(key, max: max, at: now))
        }
        switch verdict {
        case .write: write()
        case .leaveOut: break
        case .leaveOutFirst:
            loop.execute { [weak self] in
                loop.schedule(after: LineLimiter.window) { [weak self] in self?.tellLeftOut(of: key)
                }
            }
        }
    }

    private func tellLeftOut(of key: String) {
        let count = limiter.withLock { $0.takeLeftOut(key) }
        if count > 0 { tell(key, count) }
    }

    /// Tells all that was left out so far. For the end of the server.
    func tellLeftOut() {
        for (key, count) in limiter.withLock({ $0.takeAllLeftOut() }) { tell(key, count) }
    }

    private func tell(_ key: String, _ count: Int) {
        log.warning("lines left out", ["from": key, "count": "\(count)"])
        audit.leftOut(count, from: key)
    }
}
