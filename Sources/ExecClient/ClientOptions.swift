internal import ExecModel

/// How a client behaves; the defaults fit most.
public struct ClientOptions: Hashable, Sendable {
    /// What the server's log calls this client: "name/version".
    public var clientName = "execstream-swift/1"
    /// Output in flight per session where its view names no window of its own: the most that a
    /// session holds for a slow consumer.
    public var windowBytes: UInt64 = 1 << 20
    /// The same in messages, where its view names no number of its own: what a session holds for a slow
    /// consumer of chunks of a few bytes. A server that does not know this limit sends more.
    public var windowChunks: UInt64 = 16_384
    /// How long a session tries to come back after its connection broke; zero: not at all.
    public var resumeLimit = Duration.seconds(30)
    /// Connections to `tcp:` addresses are under TLS; nil: they are plain. A Unix socket always is.
    public var tls: ClientTLS?
    /// Lets the token go to other than loopback addresses without TLS: everybody in between can read it,
    /// and all that is said. Without it such a call fails with FAILED_PRECONDITION, and nothing is sent.
    public var allowsInsecureTCP = false
    /// How long connecting and authenticating may take together, once the host's name is resolved.
    public var connectTimeout = Duration.seconds(10)

    /// The defaults.
    public init() {}
}
