internal import ExecClient
internal import ExecModel
internal import Kernel

/// What a command works with. Made once, in `main`, and handed down.
final class Context {
    /// Where its output goes.
    let console = Console()
    /// Where its input comes from.
    let input = Input()
    /// What the program was started with.
    let environment: [String: String]
    /// Where things are.
    let defaults: Defaults
    /// What was asked of the command.
    var arguments = Arguments()

    init(environment: [String: String], isRoot: Bool) {
        self.environment = environment
        defaults = Defaults(environment: environment, isRoot: isRoot)
    }

    /// Whether programs read the output.
    var isJSON: Bool { arguments.has("json") }

    /// Whether the output may have colours.
    var hasColour: Bool {
        console.isTerminal && (environment["NO_COLOR"] ?? "").isEmpty
            && environment["TERM"] != "dumb"
    }

    /// Runs `body` with a client of the server that the options name.
    func withClient<Result>(
        _ body: (ExecClient) async throws(Failure) -> Result,
    ) async throws(Failure) -> Result {
        let client = try makeClient()
        defer { client.close() }
        return try await body(client)
    }

    private func makeClient() throws(Failure) -> ExecClient {
        guard let address = arguments.value("address") ?? defaults.clientAddress else {
            throw Failure("no server is known; name it with --address or set HOME")
        }
        var options = ClientOptions()
        options.clientName = "execstream/\(Version.text)"
        options.tls = tls
        options.allowsInsecureTCP = arguments.has("insecure")
        do throws(ExecError) {
            return try ExecClient(address: address, token: try token(), options: options)
        } catch {
            throw Failure(error)
        }
    }

    /// What the options say of TLS, and what they leave out, the environment; nil: neither does.
    var tls: ClientTLS? {
        let isAsked = arguments.has("tls")
        let tls = ClientTLS(
            // The system's are what is asked for.
            caFile: arguments.value("tls-ca") ?? (isAsked ? nil : variable("EXECSTREAM_TLS_CA")),
            certificateFile: arguments.value("tls-cert") ?? variable("EXECSTREAM_TLS_CERT"),
            keyFile: arguments.value("tls-key") ?? variable("EXECSTREAM_TLS_KEY")
        )
        let isWanted = isAsked || variable("EXECSTREAM_TLS") != nil || tls != ClientTLS()
        return isWanted ? tls : nil
    }

    /// What the environment has under this name; nil where that is nothing.
    private func variable(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// From the file that was named, the environment, or the default server's state. The last is shown to
    /// that very server only, whatever the address is: to others it is a secret that is not theirs.
    func token() throws(ExecError) -> ClientToken {
        if let path = arguments.value("token-file") {
            do throws(PrivateFileError) {
                return .given(try TokenFile.read(path))
            } catch {
                throw ExecError(.invalidArgument, "can't read the token file '\(path)': \(error)")
            }
        }
        if let token = environment["EXECSTREAM_TOKEN"], !token.isEmpty {
            return .given(token)
        }
        guard let state = defaults.stateDirectory else { return .none }
        return .lookedUp { address in
            // A Unix socket tells the server who connects, and needs no token.
            guard StateAddresses.contain(address, stateDirectory: state) else { return nil }
            return try? TokenFile.read(Defaults.tokenFile(stateDirectory: state))
        }
    }
}

/// Makes the library's failures the program's.
func reporting<Result>(
    _ body: () async throws(ExecError) -> Result,
) async throws(Failure) -> Result {
    do throws(ExecError) {
        return try await body()
    } catch {
        throw Failure(error)
    }
}

/// Makes a value that can't be read wrong usage of the command.
func usage<Value>(
    _ spec: CommandSpec,
    _ body: () throws(ValueProblem) -> Value,
) throws(Failure) -> Value {
    do throws(ValueProblem) {
        return try body()
    } catch {
        throw Failure(UsageError(error.message), command: spec.name)
    }
}

extension Arguments {
    /// The option's value, read by `parse`; a value that it refuses is wrong usage of the command.
    func read<Value>(
        _ name: String,
        _ spec: CommandSpec,
        _ parse: (String) throws(ValueProblem) -> Value,
    ) throws(Failure) -> Value? {
        do throws(UsageError) {
            return try value(name, parse)
        } catch {
            throw Failure(error, command: spec.name)
        }
    }

    /// The options `K=V`, together.
    func pairs(_ name: String, _ spec: CommandSpec) throws(Failure) -> [String: String] {
        do throws(ValueProblem) {
            return try Values.pairs(values(name))
        } catch {
            throw Failure(UsageError("--\(name): \(error.message)"), command: spec.name)
        }
    }
}
