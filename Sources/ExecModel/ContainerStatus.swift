/// A container, summed up from its execs.
public struct ContainerStatus: Hashable, Sendable {
    /// Its name.
    public var containerID: String
    /// What it is doing.
    public var state: ContainerState
    /// All its execs that are known.
    public var execs: [ExecInfo]
    /// When its first exec started; 0: none has.
    public var startedUnixNS: Int64
    /// When its last exec ended; 0: some have not.
    public var finishedUnixNS: Int64
    /// Of the exec that ended last, once all have.
    public var exit: Exit?
    /// What it consumes, where that was asked for and can be told.
    public var resourceUsage: ResourceUsage?

    /// Makes a status.
    public init(
        containerID: String,
        state: ContainerState,
        execs: [ExecInfo] = [],
        startedUnixNS: Int64 = 0,
        finishedUnixNS: Int64 = 0,
        exit: Exit? = nil,
        resourceUsage: ResourceUsage? = nil,
    ) {
        self.containerID = containerID
        self.state = state
        self.execs = execs
        self.startedUnixNS = startedUnixNS
        self.finishedUnixNS = finishedUnixNS
        self.exit = exit
        self.resourceUsage = resourceUsage
    }
}

/// What a container is doing. Raw values are the wire's.
public enum ContainerState: Int32, Hashable, Sendable, CaseIterable {
    /// Not told, or a newer server's state.
    case unspecified = 0
    /// Nothing has started.
    case created = 1
    /// Something runs.
    case running = 2
    /// All that runs is frozen.
    case paused = 3
    /// It was asked to stop.
    case stopped = 4
    /// All its execs have exited.
    case exited = 5
    /// Can't be told.
    case unknown = 6
}

/// What a container consumes.
public struct ResourceUsage: Hashable, Sendable {
    /// 100 is one core.
    public var cpuPercent: Double = 0
    /// Memory now.
    public var memoryBytes: UInt64 = 0
    /// Memory at most; 0: no limit.
    public var memoryLimitBytes: UInt64 = 0
    /// Read from storage.
    public var ioReadBytes: UInt64 = 0
    /// Written to storage.
    public var ioWriteBytes: UInt64 = 0
    /// Processes and threads.
    public var pids: UInt32 = 0

    /// Nothing consumed.
    public init() {}
}

/// What was done to a container.
public struct ContainerControl: Hashable, Sendable {
    /// Whether it was done.
    public var success: Bool
    /// What was done and how: "SIGSTOP to 3 groups".
    public var message: String
    /// How many execs it reached.
    public var execs: UInt32

    /// Makes an answer.
    public init(success: Bool, message: String = "", execs: UInt32 = 0) {
        self.success = success
        self.message = message
        self.execs = execs
    }
}
