internal import CLinux
internal import Glibc

/// The signals that the floors above have to name.
package enum Signals {
    /// SIGHUP.
    package static let hangUp: Int32 = SIGHUP
    /// SIGINT.
    package static let interrupt: Int32 = SIGINT
    /// SIGKILL.
    package static let kill: Int32 = SIGKILL
    /// SIGCHLD.
    package static let childEnded: Int32 = SIGCHLD
    /// SIGSTOP.
    package static let stop: Int32 = SIGSTOP
    /// SIGCONT.
    package static let proceed: Int32 = SIGCONT
    /// SIGTERM.
    package static let terminate: Int32 = SIGTERM

    /// Those of `signals` that this process does not ignore. One that was ignored when it was started (by
    /// `nohup`, or in the background of a script) is to stay so; taken as an event it would not.
    package static func heeded(_ signals: [Int32]) -> [Int32] {
        signals.filter { signal in
            var action = sigaction()
            guard sigaction(signal, nil, &action) == 0 else { return true }
            let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            return handler != unsafeBitCast(SIG_IGN, to: Int.self)
        }
    }

    /// Ends this process by the signal, as if nobody had taken it for an event: whoever started it is
    /// to see that.
    package static func die(of signal: Int32) -> Never {
        Glibc.signal(signal, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(signal)
        // It is none that ends a process.
        exit(128 + signal)
    }

    /// Whether the process ignores the signal; false where that can't be told.
    package static func isIgnored(_ signal: Int32, by pid: Int32) -> Bool {
        let field = "SigIgn:"
        guard (1...64).contains(signal),
            let bytes = try? Files.readSmall("/proc/\(pid)/status", max: 64 << 10),
            let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                .first(where: { $0.hasPrefix(field) }),
            let digits = line.split(whereSeparator: { $0 == "\t" || $0 == " " }).last,
            let ignored = UInt64(digits, radix: 16)
        else { return false }
        return ignored >> UInt64(signal - 1) & 1 == 1
    }
}
