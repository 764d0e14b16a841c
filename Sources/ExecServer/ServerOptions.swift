public import ExecCore

/// How a server listens and whom it admits.
public struct ServerOptions: Sendable {
    /// Where to listen: `unix:PATH` or `tcp:HOST:PORT`. Port 0 asks for any free one.
    public var listen: [String]
    /// A token that TCP clients may present to do everything; its name is `default`. nil: there is none.
    public var token: String?
    /// The certificate for all TCP listeners, which then take TLS 1.3 only; nil: they are plain, and
    /// `start` refuses (FAILED_PRECONDITION) those that are not on a loopback address.
    public var tls: ServerTLS?
    /// Lets plain TCP listeners be on any address: everybody in between can read along.
    public var allowsInsecureTCP = false
    /// A file of further tokens, each with a name, a role and perhaps the containers it is for; Docs/security.md
    /// has the format. Read by `start` and by `reload`; nil: there are none.
    public var tokensFile: String?
    /// How long the answer to a first wrong token waits; each further one from the same address waits
    /// twice as long, 10 s at most.
    public var wrongTokenDelay: Duration = .milliseconds(100)
    /// Where audit lines go besides the log, as JSON; opened by `start` and again by `reload`; nil:
    /// nowhere.
    public var auditLogFile: String?
    /// How commands are started.
    public var processes = ProcessOptions()
    /// Makes the process that the server is in the one that orphans of its execs come to, and
    /// collects them when they have ended; as the first process of a container it is that anyway.
    /// SIGCHLD must be blocked in every thread before. Only for a program that has no other children:
    /// they would be collected too. Without it orphans are whoever's they would be anyway.
    public var collectsOrphans = false
    /// Told what the server is doing; must return soon.
    public var onEvent: @Sendable (ServerEvent) -> Void = { _ in }
    /// The threads that do everything; 0: one for each processor, eight at most.
    public var loopCount = 0
    /// The most connections of TCP clients that have shown a token, and as many of Unix peers; a further
    /// one gets RESOURCE_EXHAUSTED and is closed.
    public var connectionsMax = 10_000
    /// The most TCP connections that have not shown a token yet: half of them from loopback addresses, and
    /// a sixteenth from any other address. A further one closes the oldest of these.
    public var unauthenticatedConnectionsMax = 1_024
    /// What one identity may have over all its connections.
    public var identityLimits = IdentityLimits()
    /// The most open calls on one connection; a further one gets RESOURCE_EXHAUSTED.
    public var streamsPerConnectionMax = 1_000
    /// The most execs that one identity (a token, or the user behind a Unix socket) may start in a
    /// second, and twice as many at once after a rest; 0: no limit. A further one gets
    /// RESOURCE_EXHAUSTED. What joins a running exec is not counted.
    public var startsPerSecondMax = 10_000
    /// How long a TCP client may take to authenticate, the TLS handshake included.
    public var authenticationTime: Duration = .seconds(30)
    /// After how much silence a TCP client is asked whether it is there; one that is gone without a word
    /// is noticed in twice that time. At least a second, and at most `keepaliveTimeMax`.
    public var keepaliveTime: Duration = .seconds(60)
    /// The name and version that `Hello` tells.
    public var serverName = "execstream/\(version)"
    /// Where log lines go.
    public var log = ServerLog()

    /// A server that listens on these addresses.
    public init(listen: [String]) { self.listen = listen }

    /// The kernel counts the seconds of silence in 15 bits.
    public static let keepaliveTimeMax = Duration.seconds(9 * 3600)

    /// This library's version.
    public static let version = "0.1.0"
}
