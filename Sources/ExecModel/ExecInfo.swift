/// What is known of one exec now.
public struct ExecInfo: Hashable, Sendable {
    /// Its container's name.
    public var containerID: String
    /// Its own name within the container.
    public var execID: String
    /// What it is doing.
    public var state: ExecState = .pending
    /// Its process; 0: none.
    public var pid: Int32 = 0
    /// What it runs.
    public var argv: [String] = []
    /// For finding it again.
    public var labels: [String: String] = [:]
    /// Whether it runs on a terminal.
    public var tty = false
    /// The terminal's size now; nil: it runs on none.
    public var window: WindowSize?
    /// Whether a publisher feeds it.
    public var published = false
    /// How many view it now.
    public var viewers: UInt32 = 0
    /// Written to stdout so far.
    public var stdoutBytes: UInt64 = 0
    /// Written to stderr so far.
    public var stderrBytes: UInt64 = 0
    /// When it was registered, in nanoseconds of the Unix clock.
    public var createdUnixNS: Int64 = 0
    /// When it was started; 0: not yet.
    public var startedUnixNS: Int64 = 0
    /// Present once it has exited.
    public var exit: Exit?

    /// Describes an exec of which only the name is known.
    public init(containerID: String, execID: String) {
        self.containerID = containerID
        self.execID = execID
    }
}

/// What an exec is doing. Raw values are the wire's.
public enum ExecState: Int32, Hashable, Sendable, CaseIterable {
    /// Not told, or a newer server's state.
    case unspecified = 0
    /// Registered; nothing started or attached yet.
    case pending = 1
    /// Its process runs, or its first publisher is connected.
    case running = 2
    /// Its processes are frozen.
    case paused = 3
    /// It has exited.
    case exited = 4
}

/// Something that happened to an exec, as watchers of its container are told.
public struct LifecycleEvent: Hashable, Sendable {
    /// Counts from 1 over all events of a server.
    public var sequence: UInt64
    /// When, in nanoseconds of the Unix clock.
    public var unixNS: Int64
    /// What.
    public var kind: Kind
    /// The exec, as it was just after.
    public var info: ExecInfo
    /// Events this subscriber was too slow for, before this one.
    public var missed: UInt64

    /// Makes an event.
    public init(
        sequence: UInt64,
        unixNS: Int64,
        kind: Kind,
        info: ExecInfo,
        missed: UInt64 = 0,
    ) {
        self.sequence = sequence
        self.unixNS = unixNS
        self.kind = kind
        self.info = info
        self.missed = missed
    }

    /// The kinds of event. Raw values are the wire's.
    public enum Kind: Int32, Hashable, Sendable, CaseIterable {
        /// Not told, or a newer server's kind.
        case unspecified = 0
        /// It has a name.
        case registered = 1
        /// It runs.
        case started = 2
        /// It is frozen.
        case paused = 3
        /// It goes on.
        case resumed = 4
        /// It has exited.
        case exited = 5
        /// It is forgotten.
        case unregistered = 6
        /// A viewer came.
        case attached = 7
        /// A viewer went.
        case detached = 8
        /// Somebody sent it a signal.
        case signaled = 9
        /// Somebody asked it to end.
        case stopping = 10
    }
}
