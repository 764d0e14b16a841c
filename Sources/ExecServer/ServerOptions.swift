/// How a server listens and whom it admits.
public struct ServerOptions: Sendable {
    /// Where to listen: `unix:PATH` or `tcp:HOST:PORT`. Port 0 asks for any free one.
    public var listen: [String]
    /// What a TCP client must present; nil: no TCP client is admitted.
    public var token: String?
    /// What every command's environment starts from.
    public var baseEnvironment: [String: String] = [:]
    /// The threads that do everything; 0: one for each processor, eight at most.
    public var loopCount = 0
    /// The most connections at once; a further one is closed.
    public var connectionsMax = 10_000
    /// The most open calls on one connection; a further one gets RESOURCE_EXHAUSTED.
    public var streamsPerConnectionMax = 1_000
    /// How long a TCP client may take to authenticate.
    public var authenticationTime: Duration = .seconds(30)
    /// The name and version that `Hello` tells.
    public var serverName = "execstream/\(version)"
    /// Where log lines go.
    public var log = ServerLog()

    /// A server that listens on these addresses.
    public init(listen: [String]) { self.listen = listen }

    /// This library's version.
    public static let version = "0.1.0"
}
