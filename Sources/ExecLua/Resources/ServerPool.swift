internal import ExecClient
internal import ExecModel
internal import Kernel
internal import Synchronization

/// The servers that a script has asked for, each with one client; its own, which is made when it is
/// first needed.
final class ServerPool: Sendable {
    private let own: ScriptServer
    private let options: ClientOptions
    private let state = Mutex(State())

    private struct State {
        var clients: [Server: Connected] = [:]
        var embedded: EmbeddedServer?
    }

    private enum Server: Hashable {
        case own
        case other(address: String, tokenFile: String?)
    }

    private typealias Connected = (client: ExecClient, answers: Once<Bool>)

    init(own: ScriptServer, options: ClientOptions) {
        self.own = own
        self.options = options
    }

    /// Where the resource's processes run. On the script's loop.
    func place(_ resource: Resource) throws(ExecError) -> Place {
        let server: Server =
            resource.address.map { .other(address: $0, tokenFile: resource.tokenFile) } ?? .own
        if let known = state.withLock({ $0.clients[server] }) {
            return Place(resource, known.client, known.answers)
        }
        // Outside the lock, since it takes its time; nobody else makes one meanwhile.
        let client = try connect(server)
        let answers = Once<Bool>()
        state.withLock { $0.clients[server] = (client, answers) }
        return Place(resource, client, answers)
    }

    /// Ends the clients, and the script's own server with all that it runs.
    func close() async {
        let last = state.withLock { state in
            defer { state = State() }
            return state
        }
        await last.embedded?.shutDown()
        for connected in last.clients.values { connected.client.close() }
    }

    private func connect(_ server: Server) throws(ExecError) -> ExecClient {
        switch server {
        case .other(let address, let tokenFile):
            let token = try tokenFile.map { path throws(ExecError) in try Self.token(path) }
            return try ExecClient(address: address, token: token, options: options)
        case .own:
            switch own {
            case .server(let address, let token):
                return try ExecClient(address: address, token: token, options: options)
            case .embedded(let processes, let directory):
                let embedded = try EmbeddedServer(processes, parent: directory)
                state.withLock { $0.embedded = embedded }
                return try ExecClient(address: embedded.address, options: options)
            }
        }
    }

    private static func token(_ path: String) throws(ExecError) -> String {
        do throws(PrivateFileError) {
            return try Files.readToken(path)
        } catch {
            throw ExecError(.invalidArgument, "can't read the token file '\(path)': \(error)")
        }
    }
}

/// Where the processes of one resource run.
final class Place: Sendable {
    let resource: Resource
    let client: ExecClient
    private let answers: Once<Bool>

    fileprivate init(_ resource: Resource, _ client: ExecClient, _ answers: Once<Bool>) {
        self.resource = resource
        self.client = client
        self.answers = answers
    }

    /// Whether the server has answered a call.
    var isKnownToAnswer: Bool { answers.settled ?? false }

    /// The server has answered a call.
    func answered() { answers.settle(true) }
}
