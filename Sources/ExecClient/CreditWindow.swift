internal import ExecModel

/// The account of one session's output in flight: how much the server may still send.
///
/// A value. What has arrived and was not consumed is at most the window, whatever the server does:
/// more than that by a whole message is an error. Messages are counted too, for a server that knows
/// `View.windowChunks`; one that does not is not at fault until so many wait that they fill the memory.
struct CreditWindow {
    /// Output, or credit for it.
    struct Amount: Equatable {
        var bytes: UInt64 = 0
        var chunks: UInt64 = 0
    }

    /// Output in flight before credit is needed; with no chunks, they are not limited.
    let window: Amount
    /// Arrived, and not consumed.
    private(set) var unconsumed = Amount()
    /// Consumed, and not yet granted again.
    private var owed = Amount()
    /// It was said that it is time to grant credit, and that has not happened yet.
    private var isDue = false

    /// A window of at least one byte.
    init(windowBytes: UInt64, windowChunks: UInt64 = 0) {
        precondition(windowBytes > 0, "a window of 0 bytes would be no limit")
        window = Amount(bytes: windowBytes, chunks: windowChunks)
    }

    /// Output has arrived.
    mutating func delivered(_ count: Int) throws(ExecError) {
        unconsumed.bytes += UInt64(count)
        unconsumed.chunks += 1
        let isWithin = unconsumed.bytes < window.bytes &+ Self.messageBytesMax
        guard isWithin || window.bytes > .max / 2 else {
            throw ExecError(.internalError, "the server sent more output than it had credit for")
        }
        guard window.chunks == 0 || unconsumed.chunks <= chunksMax else {
            throw ExecError(.internalError, "the server sent more messages than it had credit for")
        }
    }

    /// How many messages may wait, whatever the server knows. A message of one byte takes some hundreds.
    private var chunksMax: UInt64 {
        max(Self.toleratedChunks, window.chunks.saturatingAdd(window.chunks))
    }

    /// The caller has taken output. True, once until credit is taken: it is time to grant some.
    mutating func consumed(_ count: Int) -> Bool {
        unconsumed.bytes -= UInt64(count)
        // Output that arrived in one message may be consumed in parts: only the first counts here.
        if unconsumed.chunks > 0 { unconsumed.chunks -= 1 }
        owed.bytes += UInt64(count)
        owed.chunks += 1
        return becomesDue()
    }

    /// A message that is no output has arrived. True, once until credit is taken: as `consumed`.
    mutating func acknowledged() -> Bool {
        guard window.chunks > 0 else { return false }
        owed.chunks += 1
        return becomesDue()
    }

    /// The credit to grant now.
    mutating func takeCredit() -> Amount {
        isDue = false
        defer { owed = Amount() }
        return Amount(bytes: owed.bytes, chunks: window.chunks > 0 ? owed.chunks : 0)
    }

    /// The window to ask for in a new session that goes on with the old one's unconsumed output.
    mutating func resumed() -> Amount {
        isDue = false
        owed = Amount()
        return Amount(
            bytes: Self.rest(of: window.bytes, without: unconsumed.bytes),
            chunks: window.chunks > 0 ? Self.rest(of: window.chunks, without: unconsumed.chunks) : 0,
        )
    }

    private static func rest(of window: UInt64, without used: UInt64) -> UInt64 {
        used < window ? window - used : 1
    }

    private mutating func becomesDue() -> Bool {
        let isEnough =
            owed.bytes >= grantBytes || window.chunks > 0 && owed.chunks >= (window.chunks + 1) / 2
        guard isEnough, !isDue else { return false }
        isDue = true
        return true
    }

    /// Half a window at a time; sooner where the other half could not hold a whole chunk, because a
    /// server that sends whole chunks only would wait for credit that never comes.
    private var grantBytes: UInt64 {
        window.bytes >= 2 * Self.chunkBytesMax
            ? window.bytes / 2
            : window.bytes > Self.chunkBytesMax ? window.bytes - Self.chunkBytesMax : 1
    }

    private static let chunkBytesMax: UInt64 = 64 << 10
    private static let messageBytesMax: UInt64 = 4 << 20
    private static let toleratedChunks: UInt64 = 65_536
}
