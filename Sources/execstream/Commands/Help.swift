/// `execstream help`.
enum HelpCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "help",
        summary: "Explain the commands, or one of them",
        operandsUsage: "[COMMAND]",
        operandCount: 0...1,
        isClient: false,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        guard let name = arguments.operands.first else {
            try context.console.print(HelpText.overview(Program.specs))
            return 0
        }
        guard let spec = Program.specs.first(where: { $0.name == name }) else {
            throw Failure(UsageError("there is no command '\(name)'"), command: nil)
        }
        try context.console.print(HelpText.command(spec))
        return 0
    }
}

/// `execstream version`.
enum VersionCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "version",
        summary: "Tell the program's version",
        options: [.flag("json", "as a JSON object")],
        isClient: false,
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        if context.isJSON {
            try context.console.print(.object(["version": .string(Version.text)]))
        } else {
            try context.console.print("execstream \(Version.text)\n")
        }
        return 0
    }
}
