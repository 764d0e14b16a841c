/// How one viewer looks at an exec. Nothing in it changes the exec or other viewers.
public struct View: Hashable, Sendable {
    /// Where the viewer starts.
    public var from: From = .start
    /// What happens when it is too slow.
    public var slow: SlowPolicy = .catchUp
    /// Output bytes in flight before credit is needed; 0: no limit.
    public var windowBytes: UInt64 = 0
    /// Messages in flight before credit is needed, whatever their size: chunks, gaps and all else but
    /// the first message and the exit. For a client that can hold only so many. 0: no limit.
    public var windowChunks: UInt64 = 0
    /// May not send stdin, resize or signals.
    public var readOnly = false
    /// End after what is logged now instead of waiting for the exit.
    public var noFollow = false

    /// Everything from the first byte, losing nothing.
    public init() {}

    /// The place in the log where a viewer starts.
    public enum From: Hashable, Sendable {
        /// Everything, from the first byte.
        case start
        /// Only what comes after now.
        case live
        /// What follows this sequence: the last one the viewer has seen.
        case after(sequence: UInt64)
        /// At most this much of the past, in whole chunks.
        case tail(bytes: UInt64)
    }
}

/// What happens to a viewer that falls behind the ring. Raw values are the wire's.
public enum SlowPolicy: Int32, Hashable, Sendable, CaseIterable {
    /// As `catchUp`.
    case unspecified = 0
    /// Lose nothing: it is served from the log file.
    case catchUp = 1
    /// Stay live: it skips ahead and is told what it missed.
    case drop = 2
    /// Its stream ends with RESOURCE_EXHAUSTED.
    case disconnect = 3
}

/// One of an exec's two output streams. Raw values are the index's.
public enum ExecStream: UInt8, Hashable, Sendable, CaseIterable {
    /// Standard output, and all that a terminal shows.
    case stdout = 1
    /// Standard error.
    case stderr = 2
}

/// Chunks a viewer will not get, because it chose to skip them or they were trimmed.
public struct Gap: Hashable, Sendable {
    /// The first chunk that is missing.
    public var firstSequence: UInt64
    /// The last chunk that is missing.
    public var lastSequence: UInt64
    /// How many bytes of stdout they hold.
    public var stdoutBytes: UInt64
    /// How many bytes of stderr they hold.
    public var stderrBytes: UInt64

    /// Makes a gap.
    public init(
        firstSequence: UInt64,
        lastSequence: UInt64,
        stdoutBytes: UInt64,
        stderrBytes: UInt64,
    ) {
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.stdoutBytes = stdoutBytes
        self.stderrBytes = stderrBytes
    }
}

/// A signal to send.
public struct SignalRequest: Hashable, Sendable {
    /// The signal's number.
    public var number: Int32
    /// Only to the exec's first process; otherwise to its whole group.
    public var leaderOnly: Bool

    /// Makes a request.
    public init(_ number: Int32, leaderOnly: Bool = false) {
        self.number = number
        self.leaderOnly = leaderOnly
    }
}
