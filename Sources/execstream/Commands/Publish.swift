internal import ExecClient
internal import ExecModel
internal import Glibc
internal import Kernel
internal import Synchronization

/// `execstream publish`: feeds in an exec that runs here.
enum PublishCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "publish",
        summary: "Publish a command that runs here, or stdin, as an exec",
        operandsUsage: "C/E",
        operandCount: 1...1,
        rest: .afterDashes,
        options: [.value("label", "K=V", repeats: true, "for finding it again")],
        details: [
            "make 2>&1 | execstream publish ci/42 publishes stdin as the exec's stdout.",
            "execstream publish ci/42 -- make runs make here, publishes both its streams, and ends with "
                + "its code.",
            """
            What is published comes out here, too. Where the server can't be reached (any more), or takes
            nothing for 30 s, that goes on without it, and this ends with 125.
            """,
            """
            SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to a command that runs here. One that comes
            a second or more after its end ends this program, too.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let key = try usage(spec) { () throws(ValueProblem) in
            try Values.key(arguments.operands[0])
        }
        let labels = try arguments.pairs("label", spec)
        if let argv = arguments.rest, argv.isEmpty {
            throw Failure(UsageError("there is no command after '--'"), command: spec.name)
        }
        return try await context.withClient { client throws(Failure) in
            let feed = Feed(client.publish(key, labels: labels), context.console)
            guard let argv = arguments.rest else { return try await publishInput(feed, context) }
            return try await publishCommand(argv, feed, context)
        }
    }

    /// The signals that the command takes as events; nil: its arguments are wrong.
    static func signals(_ arguments: Arguments?) -> [Int32] {
        let others = arguments?.rest == nil ? [] : [SIGHUP, SIGQUIT]
        return Signals.heeded([SIGINT, SIGTERM] + others)
    }

    private static func publishInput(
        _ feed: Feed,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let (input, console) = (context.input, context.console)
        // Whoever writes stdin gets the signal, too, and is followed to the end. Who insists leaves at once,
        // and without an exit the server tells the truth about that.
        let leaving = Leaving(console)
        return try await withSignals(
            signals(context.arguments),
            heed: { leaving.take($0) }
        ) { () throws(Failure) in
            while let bytes = try await input.next() { await feed.put(bytes, .stdout) }
            return try await feed.finish(code: 0)
        }
    }

    private static func publishCommand(
        _ argv: [String],
        _ feed: Feed,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let console = context.console
        let process = try LocalProcess(argv, environment: context.environment)
        return try await withSignals(
            signals(context.arguments),
            heed: { number in
                // In a session of its own, it gets those only that are passed on.
                process.signal(number) { console.leave { _exit(128 + number) } }
            }
        ) { () throws(Failure) in
            for await event in process.events {
                switch event {
                case .output(let bytes, let stream, let taken):
                    defer { taken() }
                    await feed.put(bytes, stream)
                case .exited(let code, let signal, let message):
                    if !message.isEmpty { console.complain(message) }
                    return try await feed.finish(code: code, signal: signal, message: message)
                }
            }
            throw Failure("")
        }
    }

    /// Ends the program at a signal that is insisted on.
    private final class Leaving: Sendable {
        private let console: Console
        private let insistence = Mutex(Insistence())

        init(_ console: Console) { self.console = console }

        func take(_ number: Int32) {
            guard insistence.withLock({ $0.signalled(at: .now) }) else { return }
            console.leave { _exit(128 + number) }
        }
    }
}
