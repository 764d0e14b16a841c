/// The codes and signals that an exit can have: 0 to 255 without a signal, 128+n with signal n.
///
/// A code outside of that range must not reach a program's end: the kernel keeps the low 8 bits of an
/// exit code, so 256 would become 0.
package enum ExitStatus {
    /// The signals that can kill a process.
    package static let signals: ClosedRange<Int32> = 1...64
    /// The code where the true one is not known.
    package static let unknownCode: Int32 = 255

    /// Checks a code and a signal that somebody reports, and answers the code that everybody is told.
    ///
    /// With a signal n the code is 128+n; 0 is accepted for it, as in a message that leaves the code out.
    /// Throws INVALID_ARGUMENT, naming the field of `message` at fault, for anything else.
    package static func checkedCode(
        _ code: Int32,
        signal: Int32,
        in message: String,
    ) throws(ExecError) -> Int32 {
        guard signal == 0 || signals.contains(signal) else {
            throw ExecError(
                .invalidArgument,
                "\(message).signal is \(signal); it must be 0 or from 1 to \(signals.upperBound)",
            )
        }
        if signal != 0 {
            guard code == 0 || code == 128 + signal else {
                throw ExecError(
                    .invalidArgument,
                    "\(message).code is \(code); with signal \(signal) it must be \(128 + signal)",
                )
            }
            return 128 + signal
        }
        guard (0...255).contains(code) else {
            throw ExecError(
                .invalidArgument,
                "\(message).code is \(code); it must be from 0 to 255",
            )
        }
        return code
    }

    /// The nearest code and signal that can be. 0 remains 0 only where `maySucceed`.
    static func normalized(
        _ code: Int32,
        signal: Int32,
        maySucceed: Bool,
    ) -> (code: Int32, signal: Int32) {
        if signals.contains(signal) { return (128 + signal, signal) }
        guard signal == 0, (0...255).contains(code), code != 0 || maySucceed else {
            return (unknownCode, 0)
        }
        return (code, 0)
    }
}

extension Exit {
    /// This exit with a status that can be.
    ///
    /// The code is from 0 to 255, 128+n with signal n, and 0 only where the exec returned 0 by itself. A
    /// status that says something else becomes RUNTIME_ERROR with code 255, and the message tells what
    /// was reported.
    package func normalized() -> Exit {
        var exit = self
        (exit.code, exit.signal) = ExitStatus.normalized(
            code,
            signal: signal,
            maySucceed: reason == .natural,
        )
        if exit.signal != 0 {
            if reason == .natural { exit.reason = .signal }
        } else if exit.code != code || exit.signal != signal {
            exit.reason = .runtimeError
            let note = "its exit was reported as \(reported), which is no valid exit status"
            exit.message = message.isEmpty ? note : "\(message); \(note)"
        }
        return exit
    }

    private var reported: String {
        "code \(code), signal \(signal), reason \(reason)"
    }
}

extension Ended {
    /// This notice with a status that can be, as for an exit.
    package func normalized() -> Ended {
        var ended = self
        (ended.code, ended.signal) = ExitStatus.normalized(
            code,
            signal: signal,
            maySucceed: true,
        )
        return ended
    }
}
