internal import ExecClient
internal import ExecModel
internal import Glibc
internal import Kernel

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
            .flag("tty", short: "t", "on a terminal; -it: with what is typed here"),
            .value("env", "K=V", repeats: true, "set a variable in its environment"),
            .flag("clear-env", "start from an empty environment"),
            .value("workdir", short: "w", "DIR", "where to run it"),
            .value("timeout", "DUR", "stop it after this long; 0s: never"),
            .value("grace", "DUR", "between the stop signal and SIGKILL"),
            .value("drain", "DUR", "how long its output may outlive it"),
            .value("stop-signal", "SIG", "the polite signal (TERM)"),
            .value(
                "user",
                "USER",
                "whom to run it as: name, uid or uid:gid; with that user's environment"
            ),
            .value("memory", "BYTES", "the most memory that it may use: 512M, 2G"),
            .value("pids", "N", "the most processes and threads that it may have"),
            .value("cpus", "N", "the most processors' time that it may use: 0.5, 2"),
            .value("log-bytes", "BYTES", "the most disk for its log; the oldest goes: 64M"),
            .value("open-files", "N", "the most files that a process of it may have open"),
            .value("label", "K=V", repeats: true, "for finding it again"),
            .value("on-disconnect", "WHAT", "when nobody watches: keep, stop or stop:DUR (keep)"),
        ],
        details: [
            """
            Its stdout and stderr come out here as they are written, SIGINT and SIGTERM are passed on,
            and its exit code becomes this program's. Where the connection breaks, it comes back within
            30 s and goes on without a lost or doubled byte. A signal that could not be passed on for a
            second ends this program when it is repeated, with 125.
            """,
            """
            With -it it runs on a terminal of its own, and this terminal is for it alone: every key goes to
            it, and its size follows. ctrl-p ctrl-q leaves it running and ends this program with 0. SIGINT,
            SIGTERM and SIGHUP are for this program then: it leaves, too. With -t alone nothing that is typed
            is sent, and signals are passed on as ever.
            """,
            """
            Where the reader of stdout goes away (run … | head), this ends with 125 and says nothing; the
            exec goes on, as --on-disconnect says.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        try check(arguments)
        let terminal = try terminal(arguments)
        let key = try key(arguments)
        let command = try command(arguments, on: terminal, context)
        let onDisconnect = try arguments.read("on-disconnect", spec, Values.onDisconnect)
        return try await context.withClient { client throws(Failure) in
            if arguments.has("detach") {
                return try await start(key, command, onDisconnect, client, context)
            }
            let session = client.run(key, command, onDisconnect: onDisconnect)
            defer { session.close() }
            guard let terminal, arguments.has("interactive") else {
                return try await follow(session, client, terminal, context)
            }
            let conversation = Conversation(session, from: .start, context, terminal: terminal)
            return try await conversation.follow(SessionPrinter(key, context))
        }
    }

    /// The signals that the command takes as events; nil: its arguments are wrong.
    static func signals(_ arguments: Arguments?) -> [Int32] {
        // While it waits for the server, a detached one has nothing to do at a signal but to end.
        guard let arguments, !arguments.has("detach") else { return [] }
        let passedOn = Signals.heeded([SIGINT, SIGTERM])
        guard arguments.has("tty") else { return passedOn }
        return arguments.has("interactive") ? Conversation.signals : passedOn + [SIGWINCH]
    }

    private static func check(_ arguments: Arguments) throws(Failure) {
        let hasTerminal = arguments.has("tty")
        let excluding = [
            // A terminal has its input, whoever types it.
            ("interactive", "detach", !hasTerminal), ("tty", "json", !arguments.has("detach")),
        ]
        for (one, other, isWrong) in excluding
        where isWrong && arguments.has(one) && arguments.has(other) {
            throw Failure(
                UsageError("--\(one) and --\(other) exclude each other"),
                command: spec.name
            )
        }
    }

    /// The user's, for a command on a terminal; one that is detached may do without.
    private static func terminal(_ arguments: Arguments) throws(Failure) -> UserTerminal? {
        guard arguments.has("tty") else { return nil }
        let terminal = UserTerminal()
        guard terminal != nil || arguments.has("detach") else {
            throw Failure(
                "run -t needs a terminal on stdin, and there is none; leave -t out, or add -d"
            )
        }
        return terminal
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
        guard let first, case .ready(let ready) = first else {
            throw Failure("the server did not say whether \(key) has started")
        }
        var failure = ready.info.exit
        if failure?.reason != .startFailed { failure = nil }
        if context.isJSON {
            try context.console.print(JSON(first))
        } else if let failure {
            context.console.complain("\(key): \(failure.message)")
        } else {
            try context.console.print("\(key)\n")
        }
        return failure?.code ?? 0
    }

    private static func follow(
        _ session: Session,
        _ client: ExecClient,
        _ terminal: UserTerminal?,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let (console, input) = (context.console, context.input)
        let sendsInput = context.arguments.has("interactive")
        let printer = SessionPrinter(session.key, context)
        let sizes = terminal.map { SizeFollower($0, session) }
        let passing = SignalPassing(session, client, console, sizes)
        let signals = signals(context.arguments)
        return try await withSignals(signals, heed: { passing.take($0) }) { () throws(Failure) in
            try await firstCode { group in
                group.addTask {
                    var printer = printer
                    return try await printer.follow(session) { event throws(Failure) in
                        guard case .ready(let ready) = event, let window = ready.info.window else {
                            return
                        }
                        sizes?.begin(at: window)
                    }
                }
                group.addTask {
                    await passing.pass()
                    return nil
                }
                group.addTask { await sizes?.follow() }
                if sendsInput {
                    group.addTask { try await Stdin.pump(input, into: session, console) }
                }
            }
        }
    }
}
