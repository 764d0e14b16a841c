internal import ExecClient
internal import ExecModel
internal import Kernel

/// `execstream status`: one container.
enum StatusCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "status",
        summary: "Show what a container is doing",
        operandsUsage: "CONTAINER",
        operandCount: 1...1,
        options: [.flag("usage", "also what it consumes, where that can be told")],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let container = try usage(spec) { () throws(ValueProblem) in
            try Values.container(arguments.operands[0])
        }
        return try await context.withClient { client throws(Failure) in
            let status = try await reporting { () async throws(ExecError) in
                try await client.containerStatus(container, usage: arguments.has("usage"))
            }
            if context.isJSON {
                try context.console.print(JSON(status))
                return 0
            }
            let now = SystemClocks().unixNS
            var text = "\(status.containerID.printable(max: ExecKey.lengthMax)): \(status.state)"
            if let exit = status.exit { text += ", code \(exit.code)" }
            text += "\n"
            if let usage = status.resourceUsage { text += line(usage) + "\n" }
            if !status.execs.isEmpty {
                text +=
                    "\n"
                    + ExecTable.table(status.execs, nowUnixNS: now)
                    .text(colour: context.hasColour)
            }
            try context.console.print(text)
            return 0
        }
    }

    /// What a container consumes, for people.
    static func line(_ usage: ResourceUsage) -> String {
        let percent = usage.cpuPercent.isFinite ? max(0, min(usage.cpuPercent, 1e9)) : 0
        let tenths = Int64((percent * 10).rounded())
        let limit =
            usage.memoryLimitBytes == 0 ? "" : " of \(Amounts.bytes(usage.memoryLimitBytes))"
        return "cpu \(tenths / 10).\(tenths % 10) %, memory \(Amounts.bytes(usage.memoryBytes))"
            + "\(limit), read \(Amounts.bytes(usage.ioReadBytes)),"
            + " written \(Amounts.bytes(usage.ioWriteBytes)), \(usage.pids) processes"
    }
}
