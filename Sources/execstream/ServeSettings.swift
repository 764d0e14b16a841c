internal import ExecModel
internal import ExecServer

/// What `serve` was asked for, with the defaults for all else.
struct ServeSettings {
    let stateDirectory: String
    let tokenFile: String
    var registry: RegistryConfiguration
    var server: ServerOptions

    init(_ arguments: Arguments, _ context: Context) throws(Failure) {
        guard let state = arguments.value("state") ?? context.defaults.stateDirectory else {
            throw Failure("no state directory is known; name one with --state or set HOME")
        }
        stateDirectory = state
        tokenFile = arguments.value("token-file") ?? Defaults.tokenFile(stateDirectory: state)
        registry = RegistryConfiguration(stateDirectory: state)
        try Self.read("retention", arguments, into: &registry.retention)
        try Self.read("sweep", arguments, into: &registry.sweepInterval)
        try Self.read("grace", arguments, into: &registry.stopGrace)
        try Self.read("drain", arguments, into: &registry.drain)
        guard registry.sweepInterval > .zero else {
            throw Failure(UsageError("--sweep: it must be more than nothing"), command: "serve")
        }
        let listen = arguments.values("listen")
        server = ServerOptions(
            listen: listen.isEmpty
                ? [context.defaults.listenAddress(stateDirectory: state)] : listen
        )
        try Self.read("start-time", arguments, into: &server.processes.startTime)
        guard server.processes.startTime > .zero else {
            throw Failure(
                UsageError("--start-time: it must be more than nothing"),
                command: "serve"
            )
        }
        try Self.read("keepalive", arguments, into: &server.keepaliveTime)
        guard (.seconds(1)...ServerOptions.keepaliveTimeMax).contains(server.keepaliveTime) else {
            throw Failure(UsageError("--keepalive: it must be from 1s to 9h"), command: "serve")
        }
        server.tls = try Self.tls(arguments)
        server.allowsInsecureTCP = arguments.has("insecure")
        server.log = try Self.log(arguments)
        server.tokensFile = arguments.value("tokens")
        server.auditLogFile = arguments.value("audit-log")
        try ServeLimits.read(arguments, into: &registry, &server)
    }

    private static func read(
        _ name: String,
        _ arguments: Arguments,
        into duration: inout Duration,
    ) throws(Failure) {
        guard
            let milliseconds = try arguments.read(
                name,
                ServeCommand.spec,
                {
                    (text) throws(ValueProblem) in try Values.durationMS(text)
                }
            )
        else { return }
        duration = .milliseconds(Int64(clamping: milliseconds))
    }

    private static func tls(_ arguments: Arguments) throws(Failure) -> ServerTLS? {
        let clientCA = arguments.value("tls-client-ca")
        switch (arguments.value("tls-cert"), arguments.value("tls-key")) {
        case (let certificate?, let key?):
            return ServerTLS(certificateFile: certificate, keyFile: key, clientCAFile: clientCA)
        case (nil, nil) where clientCA == nil:
            return nil
        default:
            let problem = UsageError("--tls-cert and --tls-key go together")
            throw Failure(problem, command: ServeCommand.spec.name)
        }
    }

    private static func log(_ arguments: Arguments) throws(Failure) -> ServerLog {
        let format = try arguments.read("log-format", ServeCommand.spec) {
            (text) throws(ValueProblem) -> ServerLog.Format in
            switch text {
            case "text": return .text
            case "json": return .json
            default: throw ValueProblem("'\(text)' is neither text nor json")
            }
        }
        let level = try arguments.read("log-level", ServeCommand.spec) {
            (text) throws(ValueProblem) -> ServerLog.Level in
            guard let level = ServerLog.Level.allCases.first(where: { "\($0)" == text }) else {
                throw ValueProblem("'\(text)' is none of debug, info, warning and error")
            }
            return level
        }
        return ServerLog(level: level ?? .warning, format: format ?? .text)
    }
}
