internal import Glibc

/// How a terminal treats what is typed.
package struct TerminalInput: Hashable, Sendable {
    /// The character that ends the input where it is typed at the begin of a line (VEOF); nil:
    /// none does.
    package var endOfFile: UInt8?
    /// Whether its programs read whole lines (ICANON).
    package var isLineByLine: Bool
}

extension Descriptor {
    /// How the terminal treats what is typed, whichever side this is; ENOTTY: it is none.
    package var terminalInput: TerminalInput {
        get throws(Errno) {
            let modes = try terminalModes()
            let character = withUnsafeBytes(of: modes.c_cc) { $0[Int(VEOF)] }
            return TerminalInput(
                // _POSIX_VDISABLE
                endOfFile: character == 0 ? nil : character,
                isLineByLine: modes.c_lflag & tcflag_t(ICANON) != 0,
            )
        }
    }

    /// Gives a terminal's inner side to a user, who may then open it by its name.
    package func giveTerminal(to uid: UInt32) throws(Errno) {
        try SystemCall.value { posix(fchown(number, uid, .max)) }
    }

    /// Tells the terminal that what is typed is UTF-8: erasing takes back a whole character.
    func setUTF8() throws(Errno) {
        var modes = try terminalModes()
        modes.c_iflag |= tcflag_t(IUTF8)
        try SystemCall.value { posix(tcsetattr(number, TCSANOW, &modes)) }
    }

    func terminalModes() throws(Errno) -> termios {
        var modes = termios()
        try SystemCall.value { posix(tcgetattr(number, &modes)) }
        return modes
    }
}
