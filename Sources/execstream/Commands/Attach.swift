internal import ExecClient
internal import ExecModel
internal import Kernel

/// `execstream attach`: follows an exec that exists.
enum AttachCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "attach",
        summary: "Follow an exec that exists, from its first byte on",
        operandsUsage: "C/E",
        operandCount: 1...1,
        options: [
            .value("after", "SEQ", "only what follows this chunk"),
            .value("tail", "BYTES", "only this much of the past: 4096, 64K, 1M"),
            .flag("live", "nothing of the past"),
            .value(
                "slow",
                "POLICY",
                "when this is too slow: catch-up, drop or disconnect (catch-up)"
            ),
            .flag("interactive", short: "i", "send stdin; to a terminal, what is typed"),
            .flag("read-only", "send nothing, which is so without -i"),
            .flag("no-follow", "end after what is logged now"),
            .flag("timestamps", "put the time before each line"),
        ],
        details: [
            "Ends with the exec's code once it has exited; an exec that has exited is shown too.",
            """
            With -i to an exec on a terminal, from a terminal: as execstream run -it. The size becomes that
            of this terminal. What is typed while the past is still shown is dropped.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let isInteractive = arguments.has("interactive")
        var view = View()
        view.from = try place(arguments)
        view.slow = try arguments.read("slow", spec, Values.slowPolicy) ?? .catchUp
        // Who sends nothing is not to count among those who may.
        view.readOnly = !isInteractive
        view.noFollow = arguments.has("no-follow")
        guard !isInteractive || !arguments.has("read-only") else {
            throw Failure(
                UsageError("--interactive and --read-only exclude each other"),
                command: spec.name,
            )
        }
        return try await follow(view, spec, sendingInput: isInteractive, context)
    }

    /// Attaches to the exec that the command's operand names.
    static func follow(
        _ view: View,
        _ spec: CommandSpec,
        sendingInput: Bool,
        _ context: Context,
    ) async throws(Failure) -> Int32 {
        let arguments = context.arguments
        let key = try usage(spec) { () throws(ValueProblem) in
            try Values.key(arguments.operands[0])
        }
        return try await context.withClient { client throws(Failure) in
            let session = client.attach(key, view: view)
            defer { session.close() }
            var printer = SessionPrinter(key, context, timestamps: arguments.has("timestamps"))
            guard sendingInput else { return try await printer.follow(session) }
            let conversation = Conversation(
                session,
                from: view.from,
                context,
                terminal: context.isJSON ? nil : UserTerminal(),
            )
            return try await conversation.follow(printer)
        }
    }

    private static func place(_ arguments: Arguments) throws(Failure) -> View.From {
        let given = ["after", "tail", "live"].filter { arguments.has($0) }
        guard given.count <= 1 else {
            let names = given.map { "--\($0)" }.joined(separator: " and ")
            throw Failure(UsageError("\(names) exclude each other"), command: spec.name)
        }
        if let sequence = try arguments.read("after", spec, Values.number) {
            return .after(sequence: sequence)
        }
        if let bytes = try arguments.read("tail", spec, Values.bytes) { return .tail(bytes: bytes) }
        return arguments.has("live") ? .live : .start
    }
}

/// `execstream logs`: what an exec has written so far.
enum LogsCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "logs",
        summary: "Show what an exec has written so far",
        operandsUsage: "C/E",
        operandCount: 1...1,
        options: [
            .value("tail", "BYTES", "only this much of the past: 4096, 64K, 1M"),
            .flag("timestamps", "put the time before each line"),
        ],
        details: ["The same as: execstream attach --no-follow --read-only"],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        var view = View()
        if let bytes = try arguments.read("tail", spec, Values.bytes) {
            view.from = .tail(bytes: bytes)
        }
        view.readOnly = true
        view.noFollow = true
        return try await AttachCommand.follow(view, spec, sendingInput: false, context)
    }
}
