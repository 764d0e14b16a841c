internal import ExecCore
internal import ExecLua
internal import ExecModel
internal import Glibc
internal import Kernel
internal import Synchronization

/// `execstream lua`: runs a script that runs processes.
enum LuaCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "lua",
        summary: "Run a script in Lua that runs processes",
        operandsUsage: "SCRIPT [ARG]...",
        operandCount: 1...Int.max,
        rest: .fromFirstOperand,
        options: [
            .value("address", "ADDR", "the server: unix:PATH or tcp:HOST:PORT (one of its own)"),
            .value("token-file", "FILE", "the file with the server's token ($EXECSTREAM_TOKEN)"),
            .value("resources", "FILE", "what exec.get knows, beside process:native"),
        ] + CommandSpec.tlsOptions,
        isClient: false,
        details: [
            """
            The script gets at processes by require("exec"); Docs/lua.md tells how. Without --address they
            run in a server of its own, within this process. All that it has started is stopped when it
            ends.
            """,
            """
            Ends with the integer that the script returns, 0 if none; 1 where it fails, with a traceback;
            125 where it can't be read. SIGINT, SIGTERM and SIGHUP end the script, with 130, 143 and 129; a
            second signal kills what is being stopped, and one more, a second later or after that, ends the
            program as it is.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let options = try options(arguments, context)
        // Each process takes several.
        ResourceLimits.raiseOpenFiles()
        let script = Script(options)
        let console = context.console
        let interruption = Interruption(of: script, console)
        return try await withSignals(
            signals,
            heed: { interruption.take($0) }
        ) { () throws(Failure) in
            let end = await script.run()
            interruption.scriptEnded()
            switch end {
            case .returned(let code):
                return code
            case .failed(let message):
                console.note("execstream: \(message.printableLines)\n")
                return ExitCode.scriptFailed
            case .unreadable(let reason):
                throw Failure(reason)
            case .interrupted(let signal):
                // What the script has printed may never be taken, and `exit` waits until it is.
                console.leave(after: { fflush(nil) }) { _exit(128 + signal) }
            }
        }
    }

    /// What it waits for.
    static let signals = Signals.heeded([SIGINT, SIGTERM, SIGHUP])

    /// What this program's signals do to the script.
    private final class Interruption: Sendable {
        private let script: Script
        private let console: Console
        private let state = Mutex(State())

        private struct State {
            var isInterrupted = false
            var hasEnded = false
            /// Of who signals again.
            var insistence = Insistence()
        }

        private enum Effect { case interrupt, hurry, leave }

        init(of script: Script, _ console: Console) {
            self.script = script
            self.console = console
        }

        /// A signal has come. May end the program: what is left to say may never be taken.
        func take(_ number: Int32) {
            let effect: Effect = state.withLock { state in
                if state.hasEnded { return .leave }
                if state.isInterrupted {
                    return state.insistence.signalled(at: .now) ? .leave : .hurry
                }
                state.isInterrupted = true
                return .interrupt
            }
            switch effect {
            case .interrupt: script.interrupt(number)
            case .hurry: script.hurry()
            case .leave: console.leave { _exit(128 + number) }
            }
        }

        /// The script, and all that it has started, has ended.
        func scriptEnded() { state.withLock { $0.hasEnded = true } }
    }

    private static func options(
        _ arguments: Arguments,
        _ context: Context,
    ) throws(Failure) -> ScriptOptions {
        let server: ScriptServer
        if let address = arguments.value("address") {
            do throws(ExecError) {
                server = .server(address: address, token: try context.token())
            } catch {
                throw Failure(error)
            }
        } else {
            let directory =
                context.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
            var processes = ProcessOptions()
            processes.baseEnvironment = context.environment
            // Commands get what this program was given, not what it takes.
            processes.openFilesMax = ResourceLimits.openFiles.soft
            server = .embedded(processes, directory: directory)
        }
        let console = context.console
        var options = ScriptOptions(path: arguments.operands[0], server: server) { message in
            console.note("execstream: \(message.printableLines)\n")
        }
        options.arguments = Array(arguments.operands.dropFirst())
        options.clientName = "execstream/\(Version.text)"
        options.tls = context.tls
        options.allowsInsecureTCP = arguments.has("insecure")
        if let path = arguments.value("resources") {
            do throws(ResourceProblem) {
                options.resources = try ResourceFile.read(path)
            } catch {
                throw Failure(error.message)
            }
        }
        return options
    }
}
