internal import ExecClient
internal import ExecModel

/// `execstream wait`: waits for an exec's exit.
enum WaitCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "wait",
        summary: "Wait for an exec's exit, and end with its code",
        operandsUsage: "C/E",
        operandCount: 1...1,
        options: [.value("timeout", "DUR", "how long to wait at most; 0s: not at all")],
        details: ["Ends with 124 where the timeout passed before the exit."],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let key = try usage(spec) { () throws(ValueProblem) in
            try Values.key(arguments.operands[0])
        }
        let timeoutMS = try arguments.read("timeout", spec, Values.durationMS)
        return try await context.withClient { client throws(Failure) in
            let timeout = timeoutMS.map { Duration.milliseconds(Int64($0)) }
            let exit = try await reporting { () async throws(ExecError) in
                try await client.waitForExit(key, timeout: timeout)
            }
            guard let exit else {
                let time = arguments.value("timeout").map { " within \($0)" } ?? ""
                let text = timeoutMS == 0 ? "" : time
                throw Failure("\(key) has not exited\(text)", code: ExitCode.timedOut)
            }
            if context.isJSON {
                try context.console.print(
                    JSON(exit).preceded(by: [
                        "container_id": .string(key.containerID), "exec_id": .string(key.execID),
                    ]),
                )
            }
            return exit.code
        }
    }
}
