internal import CLinux

/// Makes terminals (pseudo-terminals).
package enum Terminal {
    /// A new terminal of 24 rows and 80 columns, for UTF-8.
    package static func make(nonBlockingMaster: Bool = false) throws(Errno) -> TerminalEnds {
        var (master, inner): (Int32, Int32) = (-1, -1)
        try SystemCall.value { el_open_terminal(&master, &inner) }
        let ends = TerminalEnds(
            master: Descriptor(owning: master),
            inner: Descriptor(owning: inner),
        )
        try SystemCall.value { el_set_window_size(master, 24, 80) }
        try ends.setUTF8()
        if nonBlockingMaster { try SystemCall.value { el_set_nonblocking(master, true) } }
        return ends
    }
}

/// Both sides of a terminal. A side that isn't taken closes with this.
package struct TerminalEnds: ~Copyable, Sendable {
    private var master: Descriptor?
    private var inner: Descriptor?

    init(master: consuming Descriptor, inner: consuming Descriptor) {
        self.master = consume master
        self.inner = consume inner
    }

    fileprivate func setUTF8() throws(Errno) {
        _ = try inner.lend { (inner) throws(Errno) in try inner.setUTF8() }
    }

    /// Hands over our side; once. Reading it fails with EIO when no program has the inner side any
    /// more; closing it hangs up.
    package mutating func takeMaster() -> Descriptor {
        guard let end = master.take() else { preconditionFailure("the master was taken") }
        return end
    }

    /// Hands over the program's side, to be its stdin, stdout and stderr; once.
    package mutating func takeInner() -> Descriptor {
        guard let end = inner.take() else { preconditionFailure("the inner side was taken") }
        return end
    }
}

extension Descriptor {
    /// Changes a terminal's size, which its foreground programs are told by SIGWINCH.
    package func setWindowSize(rows: UInt16, columns: UInt16) throws(Errno) {
        try SystemCall.value { el_set_window_size(number, rows, columns) }
    }

    /// A terminal's size; ENOTTY: it is none.
    package var windowSize: (rows: UInt16, columns: UInt16) {
        get throws(Errno) {
            var (rows, columns): (UInt16, UInt16) = (0, 0)
            try SystemCall.value { el_window_size(number, &rows, &columns) }
            return (rows, columns)
        }
    }
}
