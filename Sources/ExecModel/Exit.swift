/// How an exec ended: the truth, once, the same for everybody who asks.
public struct Exit: Hashable, Sendable {
    /// 0–255; 128+n where signal n killed it; 126 or 127 where it never ran.
    public var code: Int32
    /// How it ended.
    public var reason: ExitReason
    /// Who asked for the end, if anybody did. Independent of `reason`.
    public var cause: StopCause
    /// The signal that killed it; 0: none did.
    public var signal: Int32
    /// Whether it left a core dump.
    public var coreDumped: Bool
    /// For people, where there is something to say.
    public var message: String
    /// The last chunk's sequence; 0: it wrote nothing.
    public var lastSequence: UInt64
    /// All that it wrote to stdout.
    public var stdoutBytes: UInt64
    /// All that it wrote to stderr.
    public var stderrBytes: UInt64
    /// False: some process still held a pipe when draining gave up.
    public var drained: Bool
    /// The processes that still held a pipe then.
    public var holderPIDs: [Int32]
    /// When it was started, in nanoseconds of the Unix clock; 0: never.
    public var startedUnixNS: Int64
    /// When it ended, in nanoseconds of the Unix clock.
    public var finishedUnixNS: Int64
    /// What it consumed.
    public var usage: Usage

    /// Makes an exit; whatever is not given is nothing.
    public init(
        code: Int32,
        reason: ExitReason,
        cause: StopCause = .unspecified,
        signal: Int32 = 0,
        coreDumped: Bool = false,
        message: String = "",
        lastSequence: UInt64 = 0,
        stdoutBytes: UInt64 = 0,
        stderrBytes: UInt64 = 0,
        drained: Bool = true,
        holderPIDs: [Int32] = [],
        startedUnixNS: Int64 = 0,
        finishedUnixNS: Int64 = 0,
        usage: Usage = Usage(),
    ) {
        self.code = code
        self.reason = reason
        self.cause = cause
        self.signal = signal
        self.coreDumped = coreDumped
        self.message = message
        self.lastSequence = lastSequence
        self.stdoutBytes = stdoutBytes
        self.stderrBytes = stderrBytes
        self.drained = drained
        self.holderPIDs = holderPIDs
        self.startedUnixNS = startedUnixNS
        self.finishedUnixNS = finishedUnixNS
        self.usage = usage
    }
}

/// How an exec ended. Raw values are the wire's.
public enum ExitReason: Int32, Hashable, Sendable, CaseIterable {
    /// Not told, or a newer server's reason.
    case unspecified = 0
    /// It returned.
    case natural = 1
    /// A signal killed it.
    case signal = 2
    /// It ignored the stop signal and was killed.
    case forcedKill = 3
    /// It never ran.
    case startFailed = 4
    /// Its end could not be observed; the message says why.
    case runtimeError = 5
}

/// Who asked an exec to end. Raw values are the wire's.
public enum StopCause: Int32, Hashable, Sendable, CaseIterable {
    /// Nobody did.
    case unspecified = 0
    /// A client.
    case client = 1
    /// Its own timeout.
    case timeout = 2
    /// Its client went away, and it was started so that this ends it.
    case disconnect = 3
    /// The server is shutting down.
    case shutdown = 4
    /// It passed one of its limits.
    case limit = 5
}

/// What a process consumed.
public struct Usage: Hashable, Sendable {
    /// Processor time in user mode, in microseconds.
    public var userUS: UInt64
    /// Processor time in the kernel, in microseconds.
    public var systemUS: UInt64
    /// The most memory it had resident, in bytes.
    public var maxRSSBytes: UInt64

    /// Makes a usage record.
    public init(userUS: UInt64 = 0, systemUS: UInt64 = 0, maxRSSBytes: UInt64 = 0) {
        self.userUS = userUS
        self.systemUS = systemUS
        self.maxRSSBytes = maxRSSBytes
    }
}

/// The process is gone; it has not exited before its pipes are drained too.
public struct Ended: Hashable, Sendable {
    /// What it returned, or 128 and its signal.
    public var code: Int32
    /// The signal that killed it; 0: none did.
    public var signal: Int32
    /// When, in nanoseconds of the Unix clock.
    public var unixNS: Int64

    /// Makes a notice.
    public init(code: Int32, signal: Int32 = 0, unixNS: Int64 = 0) {
        self.code = code
        self.signal = signal
        self.unixNS = unixNS
    }
}
