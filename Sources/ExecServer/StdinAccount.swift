internal import ExecCore

/// One client's credit for stdin: what it may send, and what it is still to be told it may send.
/// Used on its connection's loop.
final class StdinAccount {
    let writer: UInt64
    private var credit: Int
    private var untold = 0

    /// Grants are told in steps of this size, or at once where the client could not send a line of
    /// `lineBytes` without them.
    private static let stepBytes = 16 << 10
    private static let lineBytes = 2 << 10

    /// `credit` is what the client may send from the beginning.
    init(writer: UInt64, credit: Int) {
        self.writer = writer
        self.credit = credit
    }

    /// The exec has room for `bytes` more.
    func grant(_ bytes: Int) { untold += bytes }

    /// What the client is to be told now; nil: nothing.
    func takeGrant() -> Int? {
        guard untold > 0, untold >= Self.stepBytes || credit < Self.lineBytes else { return nil }
        defer { untold = 0 }
        credit += untold
        return untold
    }

    /// Passes bytes on; throws RESOURCE_EXHAUSTED where they are more than the client may send.
    func send(_ bytes: [UInt8], to instance: ExecInstance) throws(ExecError) {
        guard bytes.count <= credit + untold else {
            throw ExecError(
                .resourceExhausted,
                "\(bytes.count) bytes of stdin were sent with a credit of \(credit)",
            )
        }
        credit -= bytes.count
        if credit < 0 {
            untold += credit
            credit = 0
        }
        instance.writeStdin(bytes, from: writer)
    }

    func leave(_ instance: ExecInstance, closing: Bool) {
        instance.removeStdinWriter(writer, closing: closing)
    }
}
