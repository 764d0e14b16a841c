internal import ExecClient
internal import ExecModel

/// `execstream events`: what happens, as it happens.
enum EventsCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "events",
        summary: "Show what happens to execs, as it happens",
        operandsUsage: "[CONTAINER]",
        operandCount: 0...1,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let container = try usage(spec) { () throws(ValueProblem) in
            try arguments.operands.first.map { text throws(ValueProblem) in
                try Values.container(text)
            }
        }
        return try await context.withClient { client throws(Failure) in
            var iterator = client.containerEvents(container).makeAsyncIterator()
            while let event = try await reporting({ () async throws(ExecError) in
                try await iterator.next(isolation: nil)
            }) {
                if context.isJSON {
                    try context.console.print(JSON(event))
                } else {
                    try context.console.print(line(event) + "\n")
                }
            }
            return 0
        }
    }

    /// One event for people.
    static func line(_ event: LifecycleEvent) -> String {
        let name = "\(event.info.containerID)/\(event.info.execID)"
            .printable(max: 2 * ExecKey.lengthMax + 1)
        var line = "\(Timestamp.text(unixNS: event.unixNS))  \(name)  \(event.kind)"
        if event.kind == .exited, let exit = event.info.exit { line += " with \(exit.code)" }
        if event.missed > 0 { line += "  (\(event.missed) events before it were missed)" }
        return line
    }
}
