internal import ExecModel
internal import Kernel

/// What `run` is to start, out of its arguments.
extension RunCommand {
    static func key(_ arguments: Arguments) throws(Failure) -> ExecKey {
        let container = arguments.value("container") ?? "local"
        var generator = SystemRandomNumberGenerator()
        let name = ExecNames.name(forCommand: arguments.operands[0], using: &generator)
        let exec = arguments.value("exec") ?? name
        do throws(ExecError) {
            return try ExecKey(container: container, exec: exec)
        } catch {
            throw Failure(UsageError(error.message), command: spec.name)
        }
    }

    static func command(
        _ arguments: Arguments,
        on terminal: UserTerminal?,
        _ context: Context,
    ) throws(Failure) -> Command {
        var command = Command(arguments.operands)
        if arguments.has("tty") {
            command.terminal = Terminal(
                size: terminal?.window ?? .standard,
                term: context.environment["TERM"] ?? ""
            )
        }
        command.environment = try arguments.pairs("env", spec)
        command.clearEnvironment = arguments.has("clear-env")
        command.workingDirectory = arguments.value("workdir") ?? ""
        command.stdin = arguments.has("interactive")
        command.timeoutMS = try arguments.read("timeout", spec, Values.durationMS) ?? 0
        command.graceMS = try arguments.read("grace", spec, Values.givenDurationMS) ?? 0
        command.drainMS = try arguments.read("drain", spec, Values.givenDurationMS) ?? 0
        command.stopSignal = try arguments.read("stop-signal", spec, Values.signal) ?? 0
        command.user = arguments.value("user") ?? ""
        command.labels = try arguments.pairs("label", spec)
        command.limits = try limits(arguments)
        return command
    }

    private static func limits(_ arguments: Arguments) throws(Failure) -> Limits {
        var limits = Limits()
        limits.memoryBytesMax = try arguments.read("memory", spec, Values.bytes) ?? 0
        let pids = try arguments.read("pids", spec, Values.number) ?? 0
        limits.pidsMax = UInt32(clamping: pids)
        limits.cpuMillis = try arguments.read("cpus", spec, Values.thousandths) ?? 0
        limits.logBytesMax = try arguments.read("log-bytes", spec, Values.bytes) ?? 0
        limits.openFilesMax = try arguments.read("open-files", spec, Values.number) ?? 0
        return limits
    }

}
