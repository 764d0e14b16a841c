internal import ExecModel
internal import Kernel

extension Command {
    /// The terminal's `$TERM`: what the command's environment says counts first.
    func terminalName(_ terminal: ExecModel.Terminal) -> String {
        if let name = environment["TERM"] { return name }
        return terminal.term.isEmpty ? "xterm-256color" : terminal.term
    }
}

/// A terminal's descriptors: the program's side, and one of ours for each that uses it.
struct TerminalSides: ~Copyable {
    var inner: Descriptor?
    var input: Descriptor?
    var output: Descriptor?
    let terminal: ExecTerminal

    static func make(
        _ size: WindowSize,
        for user: UserIDs?,
    ) throws(StartFailure) -> TerminalSides {
        do throws(Errno) {
            return try TerminalSides(size, for: user)
        } catch {
            throw StartFailure(code: 126, message: "its terminal can't be made: \(error)")
        }
    }

    private init(_ size: WindowSize, for user: UserIDs?) throws(Errno) {
        // Made before anything is stored: a noncopyable value can't be half initialized.
        var ends = try Kernel.Terminal.make(nonBlockingMaster: true)
        let master = ends.takeMaster()
        let inner = ends.takeInner()
        let size = size.filled(from: .standard)
        try master.setWindowSize(
            rows: UInt16(clamping: size.rows),
            columns: UInt16(clamping: size.columns),
        )
        // Who may not is about to fail with a better message: the user can't be changed either.
        if let user { try? inner.giveTerminal(to: user.uid) }
        let input = try master.duplicate()
        let output = try master.duplicate()
        terminal = ExecTerminal(master: master, inner: try inner.duplicate())
        self.inner = consume inner
        self.input = consume input
        self.output = consume output
    }
}
