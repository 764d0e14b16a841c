internal import Kernel

/// How commands are started and watched.
public struct ProcessOptions: Sendable {
    /// What every command's environment starts from.
    public var baseEnvironment: [String: String] = [:]
    /// How many files a command may have open, where it does not say: the soft limit. Nil: as many
    /// as this process.
    public var openFilesMax: UInt64?
    /// Whether each exec gets a cgroup, where that can be had.
    public var usesCgroups = true
    /// Where this program's own reaper tells what it has collected; nil: it has none, or none that
    /// waits for any child.
    public var exitStatuses: ExitStatusCache?
    /// Whether the kernel may be asked for a status that somebody else has collected: tests stand on an
    /// older kernel.
    package var asksKernelForStatus = true
    /// How long the exit status of an exec that somebody else has collected is waited for; zero: not
    /// at all. After that the exec's exit is a RUNTIME_ERROR. From `EXECSTREAM_ECHILD_WAIT_MS`, else
    /// 200 ms.
    public var exitStatusWait: Duration

    /// The defaults.
    public init() {
        let wait = Environment.variables["EXECSTREAM_ECHILD_WAIT_MS"].flatMap { UInt32($0) }
        exitStatusWait = .milliseconds(wait ?? 200)
    }
}
