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

    /// What the cgroup tells, and for what it doesn't, the sum over the processes in it.
    init(of pids: [Int32], in cgroup: Cgroup?) {
        var sum = Consumption()
        for record in pids.compactMap({ ProcessRecord.read($0) }) {
            sum.cpuUS += record.cpuUS
            sum.memoryBytes += record.rssBytes
            sum.pids += UInt32(clamping: record.threads)
            guard let io = ProcessTable.io(of: record.pid) else { continue }
            sum.ioReadBytes += io.readBytes
            sum.ioWriteBytes += io.writtenBytes
        }
        let usage = cgroup?.usage
        cpuUS = usage?.cpuUS ?? sum.cpuUS
        memoryBytes = usage?.memoryBytes ?? sum.memoryBytes
        memoryLimitBytes = usage?.memoryBytesMax ?? 0
        ioReadBytes = usage?.readBytes ?? sum.ioReadBytes
        ioWriteBytes = usage?.writtenBytes ?? sum.ioWriteBytes
        self.pids = usage?.pids.map { UInt32(clamping: $0) } ?? sum.pids
    }
}
