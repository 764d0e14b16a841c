package import ExecModel
package import Kernel

/// Whoever starts processes and tells how they ended: this server itself, and one day a keeper that
/// outlives it, or a container runtime.
package protocol ProcessHost: Sendable {
    /// Starts the command with its output on pipes. Throws what step failed, as an exit of an exec
    /// that never ran.
    func start(_ command: Command) throws(StartFailure) -> HostedProcess
}

/// A process that was started, and the ends of its pipes.
package struct HostedProcess: ~Copyable {
    package let handle: any ProcessHandle
    private var stdin: Descriptor?
    private var stdout: Descriptor?
    private var stderr: Descriptor?

    package init(
        handle: any ProcessHandle,
        stdin: consuming Descriptor?,
        stdout: consuming Descriptor?,
        stderr: consuming Descriptor?,
    ) {
        self.handle = handle
        self.stdin = consume stdin
        self.stdout = consume stdout
        self.stderr = consume stderr
    }

    /// Hands over the end that feeds stdin; nil: it has none.
    mutating func takeStdin() -> Descriptor? { stdin.take() }

    /// Hands over the end of one output stream; nil: it has none.
    mutating func takeOutput(_ stream: ExecStream) -> Descriptor? {
        stream == .stdout ? stdout.take() : stderr.take()
    }
}

/// One process of a host, used on the loop that watches it.
package protocol ProcessHandle: AnyObject {
    var pid: Int32 { get }

    /// Calls `gone` on `loop`, once, when the process has ended. Its number (and so its group's) is
    /// not given to another before `collect`.
    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) throws(Errno)

    /// How it ended; called once, after `gone`.
    func collect() throws(Errno) -> ProcessEnd

    /// Sends a signal to it, or to its whole group. Only before `collect`.
    func signal(_ number: Int32, group: Bool) throws(Errno)
}

/// Why a command never ran.
package struct StartFailure: Error {
    /// 127: not found; 126: anything else.
    package var code: Int32
    package var message: String

    package init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }
}
