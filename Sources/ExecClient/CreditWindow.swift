internal import ExecModel

/// The account of one session's output in flight: how much the server may still send.
///
/// A value. What has arrived and was not consumed is at most the window, whatever the server does:
/// more than that by a whole message is an error.
struct CreditWindow {
    /// Output bytes in flight before credit is needed.
    let windowBytes: UInt64
    /// Arrived, and not consumed.
    private(set) var unconsumedBytes: UInt64 = 0
    /// Consumed, and not yet granted again.
    private var owedBytes: UInt64 = 0
    /// It was said that it is time to grant credit, and that has not happened yet.
    private var isDue = false

    /// A window of at least one byte.
    init(windowBytes: UInt64) {
        precondition(windowBytes > 0, "a window of 0 bytes would be no limit")
        self.windowBytes = windowBytes
    }

    /// Output has arrived.
    mutating func delivered(_ count: Int) throws(ExecError) {
        unconsumedBytes += UInt64(count)
        guard unconsumedBytes < windowBytes &+ Self.messageBytesMax || windowBytes > .max / 2 else {
            throw ExecError(.internalError, "the server sent more output than it had credit for")
        }
    }

    /// The caller has taken output. True, once until credit is taken: it is time to grant some.
    mutating func consumed(_ count: Int) -> Bool {
        unconsumedBytes -= UInt64(count)
        owedBytes += UInt64(count)
        guard owedBytes >= grantBytes, !isDue else { return false }
        isDue = true
        return true
    }

    /// The credit to grant now.
    mutating func takeCredit() -> UInt64 {
        isDue = false
        defer { owedBytes = 0 }
        return owedBytes
    }

    /// The window to ask for in a new session that goes on with the old one's unconsumed output.
    mutating func resumed() -> UInt64 {
        isDue = false
        owedBytes = 0
        return unconsumedBytes < windowBytes ? windowBytes - unconsumedBytes : 1
    }

    /// Half a window at a time; sooner where the other half could not hold a whole chunk, because a
    /// server that sends whole chunks only would wait for credit that never comes.
    private var grantBytes: UInt64 {
        windowBytes >= 2 * Self.chunkBytesMax
            ? windowBytes / 2
            : windowBytes > Self.chunkBytesMax ? windowBytes - Self.chunkBytesMax : 1
    }

    private static let chunkBytesMax: UInt64 = 64 << 10
    private static let messageBytesMax: UInt64 = 4 << 20
}
