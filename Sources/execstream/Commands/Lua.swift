internal import ExecCore
internal import ExecLua
internal import ExecModel
internal import Glibc
internal import Kernel

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
            second signal kills what is being stopped.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let options = try options(arguments, context)
        // Each process takes several.
        ResourceLimits.raiseOpenFiles()
        let script = Script(options)
        let end = try await withSignals(signals) { (signals) throws(Failure) in
            // Cancelled, and waited for, when this returns.
            async let _ = pass(signals, to: script)
            return await script.run()
        }
        switch end {
        case .returned(let code):
            return code
        case .failed(let message):
            context.console.note("execstream: \(message.printableLines)\n")
            return ExitCode.scriptFailed
        case .unreadable(let reason):
            throw Failure(reason)
        case .interrupted(let signal):
            return 128 + signal
        }
    }

    /// What it waits for.
    static let signals = Signals.heeded([SIGINT, SIGTERM, SIGHUP])

    private static func pass(_ signals: AsyncStream<Int32>, to script: Script) async {
        var isFirst = true
        for await number in signals {
            if isFirst { script.interrupt(number) } else { script.hurry() }
            isFirst = false
        }
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
