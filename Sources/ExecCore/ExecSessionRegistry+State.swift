internal import ExecModel
internal import Kernel

/// The registry's tables, under its one lock.
struct RegistryState {
    let instancesMax: Int
    let perContainerMax: Int
    private(set) var instances: [ExecKey: ExecInstance] = [:]
    /// The same, in order.
    private(set) var index = ExecIndex()
    /// How many execs each container has.
    private var counts: [String: Int] = [:]
    /// Exited instances from `expiredHead` on, the oldest exit first: retention is the same for all.
    private var expiring: [Expiring] = []
    private var expiredHead = 0
    private var removals: UInt64 = 0

    init(instancesMax: Int, perContainerMax: Int) {
        self.instancesMax = instancesMax
        self.perContainerMax = perContainerMax
    }

    func checkRoom(for key: ExecKey) throws(ExecError) {
        guard instances.count < instancesMax else {
            throw ExecError(
                .resourceExhausted,
                "this server keeps \(instancesMax) execs at most; remove some that have exited",
            )
        }
        guard counts[key.containerID, default: 0] < perContainerMax else {
            throw ExecError(
                .resourceExhausted,
                "container \(key.containerID) has \(perContainerMax) execs, the most it may have",
            )
        }
    }

    mutating func insert(_ instance: ExecInstance) {
        instances[instance.key] = instance
        index.insert(instance)
        counts[instance.key.containerID, default: 0] += 1
    }

    /// A number that no other removal has.
    mutating func nextRemoval() -> UInt64 {
        removals += 1
        return removals
    }

    /// Takes an instance out; false: it is not the one that stands under its key (any more).
    mutating func remove(_ instance: ExecInstance) -> Bool {
        guard instances[instance.key] === instance else { return false }
        instances[instance.key] = nil
        index.remove(instance.key)
        let left = counts[instance.key.containerID, default: 1] - 1
        counts[instance.key.containerID] = left > 0 ? left : nil
        return true
    }

    /// From now on the instance's retention counts.
    mutating func exited(_ instance: ExecInstance, at now: Instant) {
        // Execs that are removed by hand leave their entries behind; don't let those add up.
        if expiring.count > 2 * instances.count + 64 {
            expiring = expiring[expiredHead...].filter { $0.instance != nil }
            expiredHead = 0
        }
        expiring.append(Expiring(instance: instance, exitedAt: now))
    }

    /// The next instance whose retention has passed, taken off the list; nil: none has. One that
    /// was removed by hand before is skipped.
    mutating func nextExpired(at now: Instant, retention: Duration) -> ExecInstance? {
        while expiredHead < expiring.count {
            let next = expiring[expiredHead]
            guard next.exitedAt + retention <= now else { return nil }
            expiredHead += 1
            if let instance = next.instance, instances[instance.key] === instance {
                return instance
            }
        }
        expiring.removeAll()
        expiredHead = 0
        return nil
    }

    private struct Expiring {
        /// Nil: it was removed by hand.
        weak var instance: ExecInstance?
        let exitedAt: Instant
    }
}
