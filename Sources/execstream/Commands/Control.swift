internal import ExecClient
internal import ExecModel

/// `execstream signal`: to an exec, or to all of a container.
enum SignalCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "signal",
        summary: "Send a signal to an exec, or to all of a container's",
        operandsUsage: "C/E|CONTAINER SIGNAL",
        operandCount: 2...2,
        details: ["TERM, SIGTERM and 15 are the same signal."],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let (target, name) = (arguments.operands[0], arguments.operands[1])
        let signal = try usage(spec) { () throws(ValueProblem) in
            SignalRequest(try Values.signal(name))
        }
        guard target.contains("/") else {
            return try await controlContainer(spec, context) {
                client,
                container async throws(ExecError) in
                try await client.signal(container: container, signal)
            }
        }
        return try await controlExec(spec, context) { client, key async throws(ExecError) in
            try await client.signal(key, signal)
        }
    }
}

/// `execstream stop`: the polite end.
enum StopCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "stop",
        summary: "End an exec: its stop signal, the grace, SIGKILL",
        operandsUsage: "C/E",
        operandCount: 1...1,
        options: [.value("grace", "DUR", "between the stop signal and SIGKILL")],
        details: ["Returns once the exec has exited."],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let graceMS = try arguments.read("grace", spec, Values.givenDurationMS) ?? 0
        return try await controlExec(spec, context) { client, key async throws(ExecError) in
            try await client.stop(key, graceMS: graceMS)
        }
    }
}

/// `execstream rm`: forgets an exec that has exited.
enum RemoveCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "rm",
        summary: "Forget an exec that has exited, and its logs",
        operandsUsage: "C/E",
        operandCount: 1...1,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        try await controlExec(spec, context) { client, key async throws(ExecError) in
            try await client.remove(key)
        }
    }
}

/// `execstream pause`.
enum PauseCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "pause",
        summary: "Freeze all processes of a container",
        operandsUsage: "CONTAINER",
        operandCount: 1...1,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        try await controlContainer(spec, context) { client, container async throws(ExecError) in
            try await client.pause(container: container)
        }
    }
}

/// `execstream resume`.
enum ResumeCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "resume",
        summary: "Let a paused container go on",
        operandsUsage: "CONTAINER",
        operandCount: 1...1,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        try await controlContainer(spec, context) { client, container async throws(ExecError) in
            try await client.resume(container: container)
        }
    }
}

/// Does something to the exec that the first operand names, and shows it as JSON where asked.
private func controlExec(
    _ spec: CommandSpec,
    _ context: Context,
    _ body: (ExecClient, ExecKey) async throws(ExecError) -> ExecInfo,
) async throws(Failure) -> Int32 {
    let key = try usage(spec) { () throws(ValueProblem) in
        try Values.key(context.arguments.operands[0])
    }
    return try await context.withClient { client throws(Failure) in
        let info = try await reporting { () async throws(ExecError) in try await body(client, key) }
        if context.isJSON { try context.console.print(JSON(info)) }
        return 0
    }
}

/// Does something to the container that the first operand names, and says what was done.
private func controlContainer(
    _ spec: CommandSpec,
    _ context: Context,
    _ body: (ExecClient, String) async throws(ExecError) -> ContainerControl,
) async throws(Failure) -> Int32 {
    let container = try usage(spec) { () throws(ValueProblem) in
        try Values.container(context.arguments.operands[0])
    }
    return try await context.withClient { client throws(Failure) in
        let control = try await reporting { () async throws(ExecError) in
            try await body(client, container)
        }
        if context.isJSON {
            try context.console.print(
                .object([
                    "container_id": .string(container), "success": .bool(control.success),
                    "message": .string(control.message), "execs": .int(control.execs),
                ]),
            )
        } else if control.success {
            try context.console.print("\(container): \(control.message.printable(max: 4096))\n")
        }
        guard control.success else { throw Failure("\(container): \(control.message)") }
        return 0
    }
}
