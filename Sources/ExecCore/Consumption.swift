internal import Kernel

/// What the processes of one exec consume.
package struct Consumption: Sendable {
    /// Processor time used so far.
    package var cpuUS: UInt64 = 0
    package var memoryBytes: UInt64 = 0
    /// 0: no limit.
    package var memoryLimitBytes: UInt64 = 0
    package var ioReadBytes: UInt64 = 0
    package var ioWriteBytes: UInt64 = 0
    /// Processes and threads.
    package var pids: UInt32 = 0

    /// Nothing.
    package init() {}

    /// The sum over these processes. Reads /proc/PID: not for an event loop's thread.
    init(sumOver pids: [Int32], withIO: Bool) {
        for record in pids.compactMap({ ProcessRecord.read($0) }) {
            cpuUS += record.cpuUS
            memoryBytes += record.rssBytes
            self.pids += UInt32(clamping: record.threads)
            guard withIO, let io = ProcessTable.io(of: record.pid) else { continue }
            ioReadBytes += io.readBytes
            ioWriteBytes += io.writtenBytes
        }
    }

    /// What the cgroup tells, and for what it doesn't, what is known of the processes in it.
    init(_ usage: CgroupUsage?, otherwise sum: Consumption) {
        cpuUS = usage?.cpuUS ?? sum.cpuUS
        memoryBytes = usage?.memoryBytes ?? sum.memoryBytes
        memoryLimitBytes = usage?.memoryBytesMax ?? 0
        ioReadBytes = usage?.readBytes ?? sum.ioReadBytes
        ioWriteBytes = usage?.writtenBytes ?? sum.ioWriteBytes
        pids = usage?.pids.map { UInt32(clamping: $0) } ?? sum.pids
    }
}

extension CgroupUsage {
    var tellsIO: Bool { readBytes != nil && writtenBytes != nil }

    /// Whether it tells all that a `Consumption` has.
    var tellsAll: Bool { cpuUS != nil && memoryBytes != nil && pids != nil && tellsIO }
}
