internal import Glibc
internal import Kernel

/// One command of the program.
protocol ProgramCommand: SendableMetatype {
    /// What it takes.
    static var spec: CommandSpec { get }

    /// Does it; answers the program's exit code.
    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32
}

/// From the words of the command line to an exit code.
enum Program {
    /// Every command, in the order of the help text.
    static let commands: [any ProgramCommand.Type] = [
        ServeCommand.self, RunCommand.self, AttachCommand.self, LogsCommand.self, WaitCommand.self,
        PsCommand.self,
        StatusCommand.self, SignalCommand.self, StopCommand.self, PauseCommand.self,
        ResumeCommand.self, EventsCommand.self, PublishCommand.self, RemoveCommand.self,
        LuaCommand.self,
        HelpCommand.self, VersionCommand.self,
    ]

    /// What every command takes.
    static var specs: [CommandSpec] { commands.map { $0.spec } }

    /// Runs the command that `words` name.
    static func run(_ words: [String], _ context: Context) async -> Int32 {
        guard let name = words.first else {
            context.console.note(HelpText.overview(specs))
            return ExitCode.usage
        }
        let rest = Array(words.dropFirst())
        do throws(Failure) {
            if let help = helpAsked(name, rest) {
                try context.console.print(help)
                return 0
            }
            guard let command = commands.first(where: { $0.spec.name == name }) else {
                throw Failure(UsageError("there is no command '\(name)'"), command: nil)
            }
            do throws(UsageError) {
                context.arguments = try Arguments.parse(rest, for: command.spec)
            } catch {
                throw Failure(error, command: name)
            }
            return try await command.run(context.arguments, context)
        } catch {
            if !error.message.isEmpty { context.console.complain(error.message) }
            return error.code
        }
    }

    /// The signals that the command takes as events, or that must not end it.
    static func blockedSignals(for words: [String]) -> [Int32] {
        let rest = Array(words.dropFirst())
        switch words.first {
        case ServeCommand.spec.name:
            return ServeCommand.signals + [SIGCHLD]
        case RunCommand.spec.name:
            return RunCommand.signals(try? Arguments.parse(rest, for: RunCommand.spec))
        case AttachCommand.spec.name:
            let arguments = try? Arguments.parse(rest, for: AttachCommand.spec)
            return arguments?.has("interactive") == true ? Conversation.signals : []
        case PublishCommand.spec.name:
            return PublishCommand.signals(try? Arguments.parse(rest, for: PublishCommand.spec))
        case LuaCommand.spec.name:
            return LuaCommand.signals
        default:
            return []
        }
    }

    /// The text for `--help` and its like; nil: something else was asked.
    private static func helpAsked(_ name: String, _ rest: [String]) -> String? {
        if ["--help", "-h"].contains(name) { return HelpText.overview(specs) }
        guard let spec = specs.first(where: { $0.name == name }) else { return nil }
        // Only as the first word: after that it may be an argument of somebody's command.
        return ["--help", "-h"].contains(rest.first) ? HelpText.command(spec) : nil
    }
}
