internal import ExecClient
internal import ExecModel
internal import Glibc

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
            What is published comes out here, too. Where the server can't be reached (any more), that goes
            on without it, and this ends with 125.
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
            guard let argv = arguments.rest else {
                return try await publishInput(feed, context)
            }
            return try await withSignals([SIGINT, SIGTERM]) { signals throws(Failure) in
                try await publishCommand(argv, feed, signals, context)
            }
        }
    }

    private static func publishInput(
        _ feed: Feed,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let input = context.input
        return try await withSignals([SIGINT, SIGTERM]) { signals throws(Failure) in
            try await firstCode { group in
                group.addTask {
                    while let bytes = try await input.next() { try await feed.put(bytes, .stdout) }
                    if Task.isCancelled { return nil }
                    return try await feed.finish(code: 0)
                }
                // Whoever writes stdin gets the signal, too, and is followed to the end; a second
                // signal leaves at once, and without an exit the server tells the truth about that.
                group.addTask {
                    var count = 0
                    for await number in signals {
                        count += 1
                        if count == 2 { return 128 + number }
                    }
                    return nil
                }
            }
        }
    }

    private static func publishCommand(
        _ argv: [String],
        _ feed: Feed,
        _ signals: AsyncStream<Int32>,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let process = try LocalProcess(argv, environment: context.environment)
        return try await firstCode { group in
            group.addTask {
                for await number in signals { process.signal(number) }
                return nil
            }
            group.addTask {
                for await event in process.events {
                    switch event {
                    case .output(let bytes, let stream, let taken):
                        defer { taken() }
                        try await feed.put(bytes, stream)
                    case .exited(let code, let signal, let message):
                        return try await feed.finish(code: code, signal: signal, message: message)
                    }
                }
                return nil
            }
        }
    }
}

/// Where published output goes: to the server for as long as that takes it, and through to our own
/// stdout and stderr whatever becomes of the server.
private actor Feed {
    private let publisher: Publisher
    private let console: Console
    private var problem: Failure?
    private var isReaderGone = false

    init(_ publisher: Publisher, _ console: Console) {
        self.publisher = publisher
        self.console = console
    }

    /// Publishes a piece, and passes it through.
    func put(_ bytes: [UInt8], _ stream: ExecStream) async throws(Failure) {
        passThrough(bytes, stream)
        guard problem == nil else { return }
        do throws(ExecError) {
            try await publisher.write(bytes, to: stream)
        } catch {
            fail(error)
        }
    }

    /// Publishes the end; answers the exit code for the program.
    func finish(code: Int32, signal: Int32 = 0, message: String = "") async throws(Failure) -> Int32
    {
        if problem == nil {
            do throws(ExecError) {
                return try await publisher.finish(code: code, signal: signal, message: message).code
            } catch {
                fail(error)
            }
        }
        // It was said when it happened.
        throw Failure("")
    }

    private func passThrough(_ bytes: [UInt8], _ stream: ExecStream) {
        guard !isReaderGone else { return }
        do throws(Failure) {
            switch stream {
            case .stdout: try console.write(bytes)
            case .stderr: try console.writeError(bytes)
            }
        } catch {
            // Nobody reads here any more; those who watch still do.
            isReaderGone = true
        }
    }

    private func fail(_ error: ExecError) {
        guard error.code != .cancelled else { return problem = Failure("") }
        let failure = Failure(error)
        problem = failure
        console.complain("not published: \(failure.message)")
    }
}
