internal import ExecModel
internal import Kernel

/// Makes a rate of an exec's processor time: over the time since it was last asked for, or since
/// the start. A value.
struct UsageMeter {
    private var base: (cpuUS: UInt64, at: Instant)

    /// A rate over less than this says nothing; then the one before is measured on.
    private static let spanMin = Duration.milliseconds(100)

    init(startedAt: Instant) { base = (0, startedAt) }

    mutating func usage(_ consumption: Consumption, at now: Instant) -> ResourceUsage {
        var usage = ResourceUsage()
        usage.memoryBytes = consumption.memoryBytes
        usage.memoryLimitBytes = consumption.memoryLimitBytes
        usage.ioReadBytes = consumption.ioReadBytes
        usage.ioWriteBytes = consumption.ioWriteBytes
        usage.pids = consumption.pids
        let span = now - base.at
        // Processes that have ended may take their time with them.
        let used = consumption.cpuUS > base.cpuUS ? consumption.cpuUS - base.cpuUS : 0
        let spanUS = max(1, Double(span.wholeNanoseconds) / 1_000)
        usage.cpuPercent = 100 * Double(used) / spanUS
        if span >= Self.spanMin { base = (consumption.cpuUS, now) }
        return usage
    }
}
