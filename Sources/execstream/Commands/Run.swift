internal import ExecClient
internal import ExecModel
internal import Glibc
internal import Synchronization

/// `execstream run`: starts an exec and follows it.
enum RunCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "run",
        summary: "Run a command and follow it",
        operandsUsage: "COMMAND [ARG]...",
        operandCount: 1...Int.max,
        rest: .fromFirstOperand,
        options: [
            .value(
                "container",
                short: "c",
                "CONTAINER",
                "the group of execs it belongs to (local)"
            ),
            .value("exec", short: "e", "EXEC", "its name (the command's, and random letters)"),
            .flag("detach", short: "d", "print CONTAINER/EXEC and return at once"),
            .flag("interactive", short: "i", "send stdin"),
            .flag("tty", short: "t", "on a terminal (not available yet)"),
            .value("env", "K=V", repeats: true, "set a variable in its environment"),
            .flag("clear-env", "start from an empty environment"),
            .value("workdir", short: "w", "DIR", "where to run it"),
            .value("timeout", "DUR", "stop it after this long"),
            .value("grace", "DUR", "between the stop signal and SIGKILL"),
            .value("drain", "DUR", "how long its output may outlive it"),
            .value("stop-signal", "SIG", "the polite signal (TERM)"),
            .value("user", "USER", "whom to run it as: name, uid or uid:gid"),
            .value("label", "K=V", repeats: true, "for finding it again"),
            .value("on-disconnect", "WHAT", "when nobody watches: keep, stop or stop:DUR (keep)"),
        ],
        details: [
            """
            Its stdout and stderr come out here as they are written, SIGINT and SIGTERM are passed on,
            and its exit code becomes this program's. Where the connection breaks, it comes back within
            30 s and goes on without a lost or doubled byte.
            """,
            """
            Where the reader of stdout goes away (run … | head), this ends with 125 and says nothing; the
            exec goes on, as --on-disconnect says.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        guard !arguments.has("tty") else { throw Failure("run -t is not available yet") }
        let isInteractive = arguments.has("interactive")
        guard !isInteractive || !arguments.has("detach") else {
            throw Failure(
                UsageError("--interactive and --detach exclude each other"),
                command: "run"
            )
        }
        let key = try key(arguments)
        let command = try command(arguments)
        let onDisconnect = try arguments.read("on-disconnect", spec, Values.onDisconnect)
        return try await context.withClient { client throws(Failure) in
            if arguments.has("detach") {
                return try await start(key, command, onDisconnect, client, context)
            }
            return try await withSignals([SIGINT, SIGTERM]) { signals throws(Failure) in
                let session = client.run(key, command, onDisconnect: onDisconnect)
                defer { session.close() }
                return try await follow(session, signals, sendingInput: isInteractive, context)
            }
        }
    }

    /// Starts it, and leaves it alone.
    private static func start(
        _ key: ExecKey,
        _ command: Command,
        _ onDisconnect: OnDisconnect?,
        _ client: ExecClient,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        var view = View()
        view.from = .live
        let session = client.run(key, command, view: view, onDisconnect: onDisconnect)
        defer { session.close() }
        var iterator = session.events.makeAsyncIterator()
        let first = try await reporting { () async throws(ExecError) in
            try await iterator.next(isolation: nil)
        }
        guard let first, case .ready = first else {
            throw Failure("the server did not say whether \(key) has started")
        }
        if context.isJSON {
            try context.console.print(JSON(first))
        } else {
            try context.console.print("\(key)\n")
        }
        return 0
    }

    private static func follow(
        _ session: Session,
        _ signals: AsyncStream<Int32>,
        sendingInput: Bool,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let (console, input) = (context.console, context.input)
        let printer = SessionPrinter(session.key, context)
        return try await firstCode { group in
            group.addTask {
                var printer = printer
                return try await printer.follow(session)
            }
            group.addTask { try await passOn(signals, to: session) }
            if sendingInput {
                group.addTask { try await Stdin.pump(input, into: session, console) }
            }
        }
    }

    private static func passOn(
        _ signals: AsyncStream<Int32>,
        to session: Session,
    ) async throws -> Int32? {
        let pending = Pending()
        return try await withThrowingDiscardingTaskGroup { group in
            for await number in signals {
                // While the connection is away a signal waits for it. Who repeats it wants to leave.
                guard pending.begin() else {
                    throw Failure(
                        "interrupted while the server could not be reached; see whether it still runs:"
                            + " execstream wait \(session.key) --timeout 0s",
                    )
                }
                group.addTask {
                    // Once the exec has exited there is nobody to signal.
                    try? await session.signal(SignalRequest(number))
                    pending.end()
                }
            }
            return nil
        }
    }

    /// Whether a signal is on its way.
    private final class Pending: Sendable {
        private let flag = Atomic(false)

        /// False: one is already.
        func begin() -> Bool { !flag.exchange(true, ordering: .relaxed) }

        func end() { flag.store(false, ordering: .relaxed) }
    }

    private static func key(_ arguments: Arguments) throws(Failure) -> ExecKey {
        let container = arguments.value("container") ?? "local"
        var generator = SystemRandomNumberGenerator()
        let name = ExecNames.name(forCommand: arguments.operands[0], using: &generator)
        let exec = arguments.value("exec") ?? name
        do throws(ExecError) {
            return try ExecKey(container: container, exec: exec)
        } catch {
            throw Failure(UsageError(error.message), command: spec.name)
        }
    }

    private static func command(_ arguments: Arguments) throws(Failure) -> Command {
        var command = Command(arguments.operands)
        command.environment = try arguments.pairs("env", spec)
        command.clearEnvironment = arguments.has("clear-env")
        command.workingDirectory = arguments.value("workdir") ?? ""
        command.stdin = arguments.has("interactive")
        command.timeoutMS = try arguments.read("timeout", spec, Values.durationMS) ?? 0
        command.graceMS = try arguments.read("grace", spec, Values.durationMS) ?? 0
        command.drainMS = try arguments.read("drain", spec, Values.durationMS) ?? 0
        command.stopSignal = try arguments.read("stop-signal", spec, Values.signal) ?? 0
        command.user = arguments.value("user") ?? ""
        command.labels = try arguments.pairs("label", spec)
        return command
    }
}
