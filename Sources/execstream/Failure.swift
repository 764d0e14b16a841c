internal import ExecModel

/// Why a command ends without having done its work: one line for people, and a code.
struct Failure: Error, Equatable {
    /// The program's exit code.
    var code: Int32
    /// What went wrong and what to do; empty: nothing is said.
    var message: String

    /// A failure of the program's own, which ends with 125.
    init(_ message: String, code: Int32 = ExitCode.failed) {
        self.code = code
        self.message = message
    }

    /// The library's error, with what to do where only the program knows that.
    init(_ error: ExecError) {
        let hint: String =
            switch error.code {
            case .notFound: "; see what there is with: execstream ps -a"
            case .unauthenticated:
                "; give the server's token with --token-file or $EXECSTREAM_TOKEN"
                    + " (the server keeps it in the file 'token' of its state directory, which is"
                    + " used by itself only for a server of this user's on a loopback address)"
            case .alreadyExists: "; choose another name, or follow it with: execstream attach"
            default: ""
            }
        self.init(error.message + hint)
        if error.message.isEmpty { message = "\(error.code)\(hint)" }
    }

    /// Wrong usage, which ends with 2.
    init(_ error: UsageError, command: String?) {
        let help = command.map { "execstream help \($0)" } ?? "execstream help"
        self.init("\(error.message); see: \(help)", code: ExitCode.usage)
    }
}

/// The program's own exit codes; all others are an exec's.
enum ExitCode {
    static let scriptFailed: Int32 = 1
    static let usage: Int32 = 2
    static let timedOut: Int32 = 124
    static let failed: Int32 = 125

    /// The code as the kernel keeps it: its low 8 bits, but never 0 for a code that is not 0.
    static func forKernel(_ code: Int32) -> Int32 {
        let kept = code & 0xFF
        return kept == 0 && code != 0 ? 255 : kept
    }
}
