/// What a group uses; nil: nobody tells. Only what has a limit is sure to be told.
package struct CgroupUsage: Hashable, Sendable {
    /// Since the group was made, by all that ever was in it.
    package var cpuUS: UInt64?
    package var memoryBytes: UInt64?
    /// Nil also where there is no limit.
    package var memoryBytesMax: UInt64?
    /// Processes and threads.
    package var pids: UInt64?
    /// From and to block devices, since the group was made.
    package var readBytes: UInt64?
    package var writtenBytes: UInt64?

    package init() {}
}

extension Cgroup {
    /// What the group uses now.
    package var usage: CgroupUsage {
        var usage = CgroupUsage()
        if let group = unified?.directory {
            usage.cpuUS = group.count("usage_usec", in: "cpu.stat")
            usage.memoryBytes = group.count(in: "memory.current")
            usage.memoryBytesMax = group.count(in: "memory.max")
            usage.pids = group.count(in: "pids.current")
            (usage.readBytes, usage.writtenBytes) = group.deviceBytes()
        }
        for group in v1.map(\.directory) {
            usage.cpuUS = usage.cpuUS ?? group.count(in: "cpuacct.usage").map { $0 / 1000 }
            usage.memoryBytes = usage.memoryBytes ?? group.count(in: "memory.usage_in_bytes")
            usage.pids = usage.pids ?? group.count(in: "pids.current")
            if let limit = group.count(in: "memory.limit_in_bytes"), limit < Cgroup.v1NoLimit {
                usage.memoryBytesMax = limit
            }
        }
        return usage
    }

    /// How many processes the kernel has killed since they used more memory than the group may; nil:
    /// the group has no memory limit that would be counted.
    package var memoryLimitKills: UInt64? {
        unified?.directory.count("oom_kill", in: "memory.events")
            ?? v1.lazy.compactMap {
                $0.directory.count("oom_kill", in: "memory.oom_control")
            }.first
    }

    /// The largest number of whole pages, whatever their size.
    private static let v1NoLimit: UInt64 = 1 << 62
}

extension CgroupDirectory {
    /// What `io.stat` has for all devices together: lines of "8:0 rbytes=1 wbytes=2 …".
    fileprivate func deviceBytes() -> (read: UInt64?, written: UInt64?) {
        guard let words = try? words(in: "io.stat") else { return (nil, nil) }
        func sum(_ key: String) -> UInt64 {
            words.reduce(0) { sum, word in
                word.hasPrefix(key) ? sum &+ (UInt64(word.dropFirst(key.count)) ?? 0) : sum
            }
        }
        return (sum("rbytes="), sum("wbytes="))
    }
}
