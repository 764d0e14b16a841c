/// What one identity (a token's name, or the user behind a Unix socket) may have, over all its
/// connections. What is over a limit is RESOURCE_EXHAUSTED, with a message that names the limit.
public struct IdentityLimits: Sendable {
    /// Connections at once.
    public var connectionsMax = 4_000
    /// Open calls at once: Sessions, Publishes, subscriptions, and calls that wait.
    public var streamsMax = 200_000
    /// Execs that it started or publishes and that have not been removed.
    public var execsMax = 16_000
    /// Bytes that the server keeps for it: so many of arguments, labels and environments of its execs, and
    /// so many of messages that have arrived in part and answers that it has not read.
    public var bytesMax = 256 << 20
    /// Starts that have not come to their result.
    public var startsInFlightMax = 256

    /// The defaults.
    public init() {}
}
