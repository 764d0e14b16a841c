internal import ExecModel

extension Command {
    /// Throws INVALID_ARGUMENT that names the field. What passes can be run, or fails for a reason of
    /// the system's.
    func check(logBytesMin: UInt64) throws(ExecError) {
        guard let program = argv.first else { throw Self.invalid("argv is empty") }
        guard !program.isEmpty else { throw Self.invalid("argv[0] is empty") }
        try Self.checkSize(argv: argv, labels: labels)
        try Self.checkCount(environment.count, "variables in env", max: Self.variablesMax)
        for (index, argument) in argv.enumerated() {
            try Self.refuseNUL(argument, "argv[\(index)]")
        }
        for (name, value) in environment {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")) else {
                throw Self.invalid("env has a name that is empty or has '=' in it")
            }
            try Self.refuseNUL(name, "a name in env")
            try Self.refuseNUL(value, "a value in env")
        }
        try Self.refuseNUL(workingDirectory, "working_dir")
        try Self.refuseNUL(user, "user")
        if let terminal {
            try terminal.size.check("command.terminal")
            try Self.refuseNUL(terminal.term, "terminal.term")
        }
        guard (0...64).contains(stopSignal) else {
            throw Self.invalid("stop_signal is \(stopSignal); signals are 1 to 64")
        }
        guard limits.logBytesMax == 0 || limits.logBytesMax >= logBytesMin else {
            throw Self.invalid(
                "limits.log_bytes_max is \(limits.logBytesMax); it is \(logBytesMin) at least, "
                    + "or 0 for no limit"
            )
        }
    }

    /// Everybody who asks for an exec is told these: together they must not fill a message.
    static let toldBytesMax = 1 << 20

    static func checkSize(argv: [String], labels: [String: String]) throws(ExecError) {
        try checkCount(argv.count, "arguments", max: argumentsMax)
        try checkCount(labels.count, "labels", max: labelsMax)
        let count = labels.reduce(argv.reduce(0) { $0 + $1.utf8.count }) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
        guard count <= toldBytesMax else {
            throw invalid(
                "argv and labels have \(count) bytes; they may have \(toldBytesMax) together"
            )
        }
    }

    /// An item costs everybody who asks for the exec more than its bytes.
    private static func checkCount(_ count: Int, _ what: String, max: Int) throws(ExecError) {
        guard count <= max else {
            throw invalid("it has \(count) \(what); at most \(max) are allowed")
        }
    }

    private static func refuseNUL(_ text: String, _ field: String) throws(ExecError) {
        guard !text.utf8.contains(0) else { throw invalid("\(field) has a NUL byte in it") }
    }

    private static func invalid(_ message: String) -> ExecError {
        ExecError(.invalidArgument, "command: \(message)")
    }
}
