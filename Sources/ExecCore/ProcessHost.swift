package import ExecModel
package import Kernel

/// Starts processes and tells how they ended: this server itself, and one day a keeper that outlives it, or
/// a container runtime.
package protocol ProcessHost: Sendable {
    /// Begins to start the command with its output on pipes, or on a terminal; on the loop's thread. Never
    /// waits. `done` is called once, on the loop, after this has returned: with the process, or with the step
    /// that failed, as an exit of an exec that never ran. A start that hangs fails after a while.
    func start(
        _ command: Command,
        as key: ExecKey,
        on loop: EventLoop,
        _ done: @escaping (consuming StartResult) -> Void,
    ) -> any StartTicket
}

/// What a start came to.
package typealias StartResult = Result<HostedProcess, StartFailure>

/// A start that is under way. Used on its loop.
package protocol StartTicket: AnyObject {
    /// Gives the start up: it fails with this message, now or soon. Where the program runs already, the start
    /// has succeeded, and that is told now. Does nothing after `done`.
    func revoke(_ message: String)
}

/// A process that was started, and the ends of its pipes.
package struct HostedProcess: ~Copyable {
    package let handle: any ProcessHandle
    /// What it runs on; nil: on no terminal. Then stdin and stdout are this terminal's.
    package let terminal: ExecTerminal?
    private var stdin: Descriptor?
    private var stdout: Descriptor?
    private var stderr: Descriptor?

    package init(
        handle: any ProcessHandle,
        stdin: consuming Descriptor?,
        stdout: consuming Descriptor?,
        stderr: consuming Descriptor?,
        terminal: ExecTerminal? = nil,
    ) {
        self.handle = handle
        self.terminal = terminal
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

/// One process of a host, and all that it starts. Used on the loop that watches it.
package protocol ProcessHandle: AnyObject {
    var pid: Int32 { get }

    /// Calls `gone` on `loop`, once, when the process has ended. Its number (and so its group's) is
    /// not given to another before `collect`.
    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) throws(Errno)

    /// Tells on the loop, now or soon, how it ended; called once, after `gone`.
    func collect(_ done: @escaping (ProcessEnding) -> Void)

    /// Sends a signal to it, or to its whole group. Only before `collect`.
    func signal(_ number: Int32, group: Bool) throws(Errno)

    /// What it has started, whatever session or group that has gone to.
    var offspring: any Offspring { get }

    /// Stops all its processes where they are, and tells how; nothing of them runs on after that.
    func freeze(_ done: @escaping (Result<FreezeMethod, Errno>) -> Void)

    /// Lets them go on. Returns how; throws where they stay as they are.
    @discardableResult
    func thaw() throws(Errno) -> FreezeMethod

    /// Tells on `loop`, now or soon, what all its processes consume. One call at a time.
    func measure(on loop: EventLoop, _ done: @escaping (Consumption) -> Void)
}

/// How a process ended, as far as that can be told.
package enum ProcessEnding {
    /// `limit` names the limit that it passed, where that is why the kernel killed it.
    case ended(ProcessEnd, limit: String? = nil)
    /// Somebody else has taken its status, and it can't be had; the sentence says so.
    case unknown(String)
}

/// How processes are frozen.
package enum FreezeMethod: Hashable, Sendable {
    /// By the cgroup that they are in.
    case cgroup
    /// By SIGSTOP, which they can see and which their own SIGCONT undoes.
    case stopSignal
}

/// What a process has started and what may outlive it: also what has left its session and its group.
/// Used on the loop that watches the process.
package protocol Offspring: AnyObject {
    /// Remembers who they are while the process is there to tell them by.
    func note()

    /// Tells on `loop`, now or in a moment, whether none is left, the process itself aside.
    func tellIfEmpty(on loop: EventLoop, _ done: @escaping (Bool) -> Void)

    /// Who is left.
    var pids: [Int32] { get }

    /// Finds out who is left, without the loop: for a thread that may wait.
    var finder: @Sendable () -> [Int32] { get }

    /// To all of them; `sparingGroup`: but those in the process's own group.
    func signal(_ number: Int32, sparingGroup: Bool)

    /// Ends all of them, however often they multiply.
    func kill()

    /// Calls `alone` on `loop`, once, when none is left: now, or when the last one has ended.
    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void)

    /// The exit is told: what is only remembered is let go of.
    func letGo()

    /// The cgroup that told has been removed: none is left.
    func forgetCgroup()
}

/// Why a command never ran.
package struct StartFailure: Error {
    /// 127: not found; 126: anything else.
    package var code: Int32
    package var message: String
    /// What was asked for can't be had here at all: the call fails, and there is no exec.
    package var isRefusal = false

    package init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    package init(refusal message: String) {
        self.init(code: 126, message: message)
        isRefusal = true
    }
}
