internal import CLuaBridge
internal import ExecModel

/// Why a command can't be made.
struct CommandProblem: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

extension Resource {
    /// What a script has given, as a command of this resource.
    func command(_ given: elua_command) throws(CommandProblem) -> Command {
        let line = try text(given.command, "the command")
        guard line.contains(where: { !$0.isWhitespace }) else {
            throw CommandProblem("the command is empty")
        }
        if let allowedCommands, !allowedCommands.contains(where: { $0.allows(line) }) {
            throw CommandProblem("the resource does not allow the command '\(line)'")
        }
        var command = Command(["/bin/sh", "-c", line])
        command.environment = environment
        try setEnvironment(given, of: &command)
        command.workingDirectory =
            given.work_dir.isGiven
            ? try text(given.work_dir, "option 'work_dir'") : workingDirectory
        command.stdin = !given.without_stdin
        command.graceMS = graceMS
        if given.has_timeout { command.timeoutMS = try milliseconds(given.timeout) }
        if given.has_terminal {
            command.terminal = Terminal(
                size: WindowSize(
                    rows: given.rows == 0 ? 24 : UInt32(given.rows),
                    columns: given.columns == 0 ? 80 : UInt32(given.columns),
                ),
                term: given.term.isGiven ? try text(given.term, "option 'tty': 'term'") : "",
            )
        }
        return command
    }

    private func setEnvironment(
        _ given: elua_command,
        of command: inout Command,
    ) throws(CommandProblem) {
        let texts = UnsafeBufferPointer(
            start: given.environment,
            count: 2 * given.environment_count,
        )
        for index in stride(from: 0, to: texts.count, by: 2) {
            let name = try text(texts[index], "a name in option 'env'")
            guard !name.isEmpty, !name.contains("=") else {
                throw CommandProblem("option 'env': '\(name)' can't be the name of a variable")
            }
            command.environment[name] = try text(texts[index + 1], "option 'env': '\(name)'")
        }
    }

    private func milliseconds(_ time: elua_time) throws(CommandProblem) -> UInt64 {
        guard let duration = time.duration else {
            throw CommandProblem("option 'timeout': \(time.problem)")
        }
        // Rounded up: 0 would mean none.
        let (seconds, attoseconds) = duration.components
        let milliseconds =
            seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        guard milliseconds > 0 else {
            throw CommandProblem("option 'timeout' must be more than nothing")
        }
        return UInt64(milliseconds)
    }

    /// Lua's strings hold any bytes; what names programs and files here is text without NUL.
    private func text(_ given: elua_text, _ what: String) throws(CommandProblem) -> String {
        guard let text = given.string, !text.utf8.contains(0) else {
            throw CommandProblem("\(what) is not UTF-8, or has a NUL byte in it")
        }
        return text
    }
}
