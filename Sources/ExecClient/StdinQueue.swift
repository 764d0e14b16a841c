internal import ExecModel

/// Stdin on its way to the server: what waits for credit, and who waits for it to go.
///
/// A value. Its length is bounded by its callers: each waits for its own bytes to go.
struct StdinQueue {
    private var waiting: [Entry] = []
    private var creditBytes: UInt64 = 0
    private var wasSent = false
    private var endWasSent = false
    /// Stdin was sent on a connection that broke: how much of it arrived can't be known.
    private(set) var isUncertain = false
    /// The caller has not been told of that yet.
    private var owesError = false

    private struct Entry {
        /// What is left to send; nil: the end of stdin.
        var bytes: ArraySlice<UInt8>?
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
        while let first = waiting.first {
            guard var rest = first.bytes else {
                waiting.removeFirst()
                endWasSent = true
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
            if rest.isEmpty {
                waiting.removeFirst()
                first.done.settle(.success(()))
            }
            return .bytes(message)
        }
        return nil
    }

    /// The server takes more.
    mutating func grant(_ bytes: UInt64) { creditBytes &+= bytes }

    /// The session is on a connection (again), and this is all its credit.
    mutating func attached(credit: UInt64) {
        creditBytes = credit
        // An end without bytes before it may be repeated; the first may have been lost.
        if endWasSent, !wasSent { waiting.insert(Entry(bytes: nil, done: Promise()), at: 0) }
    }

    /// The connection broke.
    mutating func connectionBroke() {
        creditBytes = 0
        guard wasSent else { return }
        isUncertain = true
        let failed = waiting
        waiting = []
        owesError = failed.isEmpty
        for entry in failed { entry.done.settle(.failure(Self.uncertain)) }
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
            return done.settle(.failure(Self.uncertain))
        }
        waiting.append(Entry(bytes: bytes, done: done))
    }

    private static var uncertain: ExecError {
        let message =
            "the connection broke while stdin was on its way; how much of it arrived can't be known"
        return ExecError(.aborted, message)
    }

    private static let messageBytesMax = 64 << 10
}
