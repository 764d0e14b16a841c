internal import Kernel

/// How commands are started and watched.
public struct ProcessOptions: Sendable {
    /// What every command's environment starts from. A command for another user gets only `PATH`, `LANG` and
    /// `TERM` of it, and that user's own `HOME`, `USER`, `LOGNAME` and `SHELL`.
    public var baseEnvironment: [String: String] = [:]
    /// How many files a command may have open, where it does not say: the soft limit. Nil: as many
    /// as this process.
    public var openFilesMax: UInt64?
    /// How long a start may take: looking its user up, and then making the process until it runs its program.
    /// After that the exec exits with START_FAILED, and the message names the step that hung. A file system
    /// that does not answer, or somebody who stops the new process, can make it hang.
    public var startTime: Duration = .seconds(10)
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
