/// The bounds and times of a registry; every one has the default that Docs/operations.md lists.
public struct RegistryConfiguration: Sendable {
    /// Where logs are kept: `<state>/execs/<container>/<exec>/`.
    public var stateDirectory: String
    /// How long an exec is kept after it has exited.
    public var retention: Duration = .seconds(300)
    /// How often expired execs are looked for.
    public var sweepInterval: Duration = .seconds(30)
    /// Between the stop signal and SIGKILL, where a command does not say.
    public var stopGrace: Duration = .seconds(10)
    /// How long output may outlive its process, where a command does not say.
    public var drain: Duration = .seconds(2)
    /// The most chunks that a ring holds.
    public var ringChunksMax = 100
    /// The most bytes that a ring holds.
    public var ringBytesMax = 1 << 20
    /// The largest chunk; 1 to `chunkBytesLimit`.
    public var chunkBytesMax = 64 << 10
    /// The largest that a chunk may be made.
    public static let chunkBytesLimit = 64 << 10
    /// The most execs that are known at once; a further one gets RESOURCE_EXHAUSTED.
    public var instancesMax = 20_000
    /// The most execs of one container.
    public var instancesPerContainerMax = 2_000
    /// The least limit of its log's size that a command may ask for, in bytes. A chunk is at most an
    /// eighth of it.
    public var logBytesMin: UInt64 = 1 << 20
    /// How many lifecycle events can be replayed to a subscriber that comes back.
    public var eventsMax = 4_096

    /// The defaults, with logs under `stateDirectory`.
    public init(stateDirectory: String) { self.stateDirectory = stateDirectory }
}
