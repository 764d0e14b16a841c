internal import ExecModel

/// Stdin on its way to the server: what waits for credit, and who waits for it to go.
///
/// A value. Its length is bounded by its callers: each waits for its own bytes to go.
struct StdinQueue {
    private var waiting: [Entry] = []
    private var creditBytes: UInt64 = 0
    private var isTerminal = false
    /// Something that can't be repeated was sent on the connection there is.
    private var wasSent = false
    private var endWasSent = false
    /// The end that was sent may have been lost with its connection, and is to be sent again.
    private var endIsDue = false
    /// Stdin was sent on a connection that broke: how much of it arrived can't be known.
    private(set) var isUncertain = false
    /// No sender has been told of that yet.
    private var owesError = false

    private struct Entry {
        /// What is left to send; nil: the end of stdin.
        var bytes: ArraySlice<UInt8>?
        /// The first of it has been sent.
        var isBegun = false
        let done: Promise<Void>
    }

    /// What to send next.
    enum Next: Equatable {
        case bytes([UInt8])
        case end
    }

    /// Adds bytes. After a break that may have cost some, the first call fails.
    mutating func append(_ bytes: [UInt8], done: Promise<Void>) { add(bytes[...], done) }

    /// Adds the end.
    mutating func appendEnd(done: Promise<Void>) { add(nil, done) }

    /// The next message within the credit; nil: nothing may go now.
    mutating func next() -> Next? {
        if endIsDue {
            endIsDue = false
            return .end
        }
        while let first = waiting.first {
            guard var rest = first.bytes else {
                waiting.removeFirst()
                // A terminal's end is typed: another one would be the end of something else.
                if isTerminal { wasSent = true } else { endWasSent = true }
                first.done.settle(.success(()))
                return .end
            }
            if rest.isEmpty {
                waiting.removeFirst()
                first.done.settle(.success(()))
                continue
            }
            let count = min(rest.count, Int(clamping: creditBytes), Self.messageBytesMax)
            guard count > 0 else { return nil }
            let message = Array(rest.prefix(count))
            rest.removeFirst(count)
            creditBytes -= UInt64(count)
            wasSent = true
            waiting[0].bytes = rest
            waiting[0].isBegun = true
            if rest.isEmpty {
                waiting.removeFirst()
                first.done.settle(.success(()))
            }
            return .bytes(message)
        }
        return nil
    }

    /// The server takes more.
    mutating func grant(_ bytes: UInt64) { creditBytes = creditBytes.saturatingAdd(bytes) }

    /// The session is on a connection (again), and this is all its credit. True: of what was sent
    /// before, a part may be missing; said once.
    ///
    /// An end that was sent is sent again, also after bytes that may be missing: an exec that never
    /// sees the end would wait for ever, and whoever follows the session is told of the bytes.
    @discardableResult
    mutating func attached(credit: UInt64, isTerminal: Bool) -> Bool {
        creditBytes = credit
        self.isTerminal = isTerminal
        endIsDue = endWasSent
        defer { isUncertain = false }
        return isUncertain
    }

    /// The connection broke, or was not to be had again.
    mutating func connectionBroke() {
        creditBytes = 0
        guard wasSent else { return }
        wasSent = false
        isUncertain = true
        let failed = waiting
        waiting = []
        owesError = failed.isEmpty
        for entry in failed {
            entry.done.settle(.failure(Self.uncertain(entry.isBegun ? StdinPartlySent() : nil)))
        }
    }

    /// Takes back what its caller no longer waits for. What was sent of it, was sent.
    mutating func cancel(_ done: Promise<Void>) { waiting.removeAll { $0.done === done } }

    /// The session is over.
    mutating func failAll(_ error: ExecError) {
        let failed = waiting
        waiting = []
        for entry in failed { entry.done.settle(.failure(error)) }
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>?, _ done: Promise<Void>) {
        if owesError {
            owesError = false
            return done.settle(.failure(Self.uncertain(nil)))
        }
        waiting.append(Entry(bytes: bytes, done: done))
    }

    private static func uncertain(_ cause: StdinPartlySent?) -> ExecError {
        let message =
            "the connection broke while stdin was on its way; how much of it arrived can't be known"
        return ExecError(.aborted, message, cause: cause)
    }

    private static let messageBytesMax = 64 << 10
}

/// The cause of an ABORTED where a part of those very bytes had been sent: to send them again might
/// give the exec that part twice. See ``Session/send(_:)``.
public struct StdinPartlySent: Error {}
