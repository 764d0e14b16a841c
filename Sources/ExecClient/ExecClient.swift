// The client library: calls on a server as Swift functions, and sessions as sequences of events.
//
// What may live here: translation between the wire and the caller. What may not: system calls
// (Kernel's), byte layouts (Wire's), and decisions about execs (the server's).
@_exported public import ExecModel
internal import Kernel
internal import Synchronization
internal import Wire

/// A client of one server.
///
/// It connects when the first call is made, authenticates the connection once, and connects again
/// when a call is made after a break. All calls share that connection, and none waits for another:
/// a session whose events nobody takes stalls alone.
///
/// Each client has one thread, and is bounded by its calls: a session holds at most its window of
/// output. Usable from any task.
///
/// ```swift
/// let exit = try await ExecClient.withClient(address: "unix:/run/execstream.sock") { client in
///     let session = client.run(try ExecKey(container: "ci", exec: "42"), Command(["make"]))
///     for try await event in session.events {
///         if case .output(let chunk) = event { show(chunk.bytes) }
///     }
/// }
/// ```
public final class ExecClient: Sendable {
    let runtime: ClientRuntime
    let options: ClientOptions

    /// Makes a client of the server at `address`: `unix:PATH` or `tcp:HOST:PORT`. Does not connect.
    /// The token is the server's; nil where it asks for none (a Unix socket of the same user). It is
    /// shown to whoever answers there, but without TLS to loopback addresses only; see
    /// ``ClientOptions/allowsInsecureTCP``.
    public convenience init(
        address: String,
        token: String? = nil,
        options: ClientOptions = ClientOptions(),
    ) throws(ExecError) {
        let token = token.map { ClientToken.given($0) } ?? .none
        try self.init(address: address, token: token, options: options)
    }

    /// As above, with a token that may depend on the address.
    package init(
        address: String,
        token: ClientToken,
        options: ClientOptions,
    ) throws(ExecError) {
        self.options = options
        let parsed: SocketAddress
        do throws(AddressError) {
            parsed = try SocketAddress(parsing: address)
        } catch {
            throw ExecError(.invalidArgument, error.message, cause: error)
        }
        runtime = try ClientRuntime(address: parsed, token: token, options: options)
    }

    /// Makes a client, lends it to `body`, and closes it.
    public nonisolated(nonsending) static func withClient<Result>(
        address: String,
        token: String? = nil,
        options: ClientOptions = ClientOptions(),
        _ body: nonisolated(nonsending) (ExecClient) async throws -> Result,
    ) async throws -> Result {
        let client = try ExecClient(address: address, token: token, options: options)
        defer { client.close() }
        return try await body(client)
    }

    /// Ends the connection and all calls, which fail with CANCELLED, and the thread. Later calls fail
    /// the same way. Happens by itself when the client and its sessions have gone.
    public func close() { runtime.close() }
}

/// The client's thread, and the way to it. Lives for as long as the client or one of its sessions.
final class ClientRuntime: Sendable {
    private let group: EventLoopGroup
    private let core: LoopBound<ClientCore>
    private let isClosed = Mutex(false)

    /// Starts the thread.
    init(address: SocketAddress, token: ClientToken, options: ClientOptions) throws(ExecError) {
        var tls: TLSContext?
        if case .tcp = address { tls = try options.tls?.load() }
        do throws(Errno) {
            group = try EventLoopGroup(count: 1, name: "exec-client")
        } catch {
            throw ExecError(.resourceExhausted, "no thread could be made: \(error)", cause: error)
        }
        let loop = group.next()
        let core = ClientCore(
            loop: loop,
            address: address,
            tls: tls,
            token: token,
            options: options
        )
        self.core = LoopBound(core, on: loop)
    }

    deinit { close() }

    /// Runs `job` on the loop; false: the client is closed, and it will not run.
    @discardableResult
    func execute(_ job: @escaping @Sendable (ClientCore) -> Void) -> Bool {
        let core = core
        return core.loop.execute { job(core.value) }
    }

    /// Ends everything, once.
    func close() {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        execute { $0.close() }
        group.shutdown()
    }
}
