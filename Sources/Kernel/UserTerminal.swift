internal import CLinux
internal import Glibc
internal import Synchronization

/// The terminal that this program's user sits at, on its stdin. Any thread.
///
/// In raw mode what is typed comes byte by byte and as it is, and no key raises a signal. Whoever
/// makes it raw restores it, however the program ends: nobody else does.
package final class UserTerminal: Sendable {
    private let terminal: Descriptor
    /// As it was before it was made raw; nil: it is as it was.
    private let before = Mutex<termios?>(nil)

    /// Nil: stdin is no terminal.
    package init?() {
        guard let terminal = try? Descriptor.standardInput(), terminal.isTerminal else {
            return nil
        }
        self.terminal = terminal
    }

    /// What the terminal says it has; 0 where it does not know.
    package var size: (rows: UInt16, columns: UInt16) { (try? terminal.windowSize) ?? (0, 0) }

    package var isRaw: Bool { before.withLock { $0 != nil } }

    /// Makes it raw, also once more, where somebody else has changed it since.
    package func makeRaw() throws(Errno) {
        try before.withLock { before throws(Errno) in
            let modes = try terminal.terminalModes()
            var raw = before ?? modes
            cfmakeraw(&raw)
            try set(raw)
            before = before ?? modes
        }
    }

    /// Makes it what it was; nothing where it is.
    package func restore() {
        before.withLock { before in
            guard let modes = before.take() else { return }
            // It may be gone by now.
            try? set(modes)
        }
    }

    /// Also from the background, where asking for it would stop this process.
    private func set(_ modes: termios) throws(Errno) {
        var (stop, mask) = (sigset_t(), sigset_t())
        sigemptyset(&stop)
        sigaddset(&stop, SIGTTOU)
        pthread_sigmask(SIG_BLOCK, &stop, &mask)
        defer { pthread_sigmask(SIG_SETMASK, &mask, nil) }
        var modes = modes
        // At once: waiting for what is written could be for ever.
        try SystemCall.value { posix(tcsetattr(terminal.number, TCSANOW, &modes)) }
    }
}
