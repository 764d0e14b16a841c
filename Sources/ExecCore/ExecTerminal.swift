internal import ExecModel
package import Kernel

/// The terminal that an exec runs on, beside the bytes that go through it: its size, and how its
/// input ends. On the exec's loop.
///
/// Holds the program's side open until the process is gone: a program may close all of it and open
/// `/dev/tty` again later, and must not find its terminal hung up.
package final class ExecTerminal {
    private var master: Descriptor?
    private var inner: Descriptor?

    /// - Parameters:
    ///   - master: our side, another descriptor than those that carry the bytes.
    ///   - inner: the program's side.
    package init(master: consuming Descriptor, inner: consuming Descriptor) {
        self.master = consume master
        self.inner = consume inner
    }

    /// Changes the size; what is 0 in it stays as it is. Returns the size that it has now.
    func resize(to size: WindowSize) throws(Errno) -> WindowSize {
        let new = try master.lend { (master) throws(Errno) in
            let (rows, columns) = try master.windowSize
            let now = WindowSize(rows: UInt32(rows), columns: UInt32(columns))
            let new = size.filled(from: now).filled(from: .standard)
            try master.setWindowSize(
                rows: UInt16(clamping: new.rows),
                columns: UInt16(clamping: new.columns),
            )
            return new
        }
        guard let new else { throw .inputOutput }
        return new
    }

    /// What somebody would type now to end the input. In the middle of a line the first end-of-file
    /// character only hands over that line, and it takes a second one.
    func endOfInput(inLine isInLine: Bool) -> [UInt8] {
        let input = try? master.lend { (master) throws(Errno) in try master.terminalInput } ?? nil
        guard let input, let character = input.endOfFile else { return [] }
        return input.isLineByLine && isInLine ? [character, character] : [character]
    }

    /// The process is gone: once nobody else has the program's side, our side is at its end.
    func processGone() { inner = nil }

    /// The exit is told. The terminal hangs up when the output's descriptor is closed, too.
    func close() {
        inner = nil
        master = nil
    }
}
