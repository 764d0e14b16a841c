internal import ExecModel
internal import Kernel
internal import Synchronization

/// What one identity has now, over all its connections and loops. Looked up once for a connection or a
/// token, and counted on by every call; never for a chunk. Any thread.
///
/// Two threads at once can take the last place both: a count may pass its limit by the number of loops.
final class IdentityAccount: Sendable {
    /// The identity's name.
    let name: String
    private let limits: IdentityLimits
    private let connections = Atomic(0)
    private let streams = Atomic(0)
    private let execs = Atomic(0)
    private let execBytes = Atomic(0)
    private let messageBytes = Atomic(0)
    private let startsInFlight = Atomic(0)
    private let parts: [ObjectIdentifier: LoopBound<Part>]

    init(_ name: String, _ limits: IdentityLimits, loops: [EventLoop]) {
        self.name = name
        self.limits = limits
        parts = Dictionary(
            uniqueKeysWithValues: loops.map {
                (ObjectIdentifier($0), LoopBound((CallShare($0), ListLine()), on: $0))
            }
        )
    }

    /// What it has of one loop.
    private typealias Part = (share: CallShare, lists: ListLine)

    /// Its part of a loop's time. On that loop.
    func share(of loop: EventLoop) -> CallShare { part(of: loop).share }

    /// Where its lists wait on a loop. On that loop.
    func lists(of loop: EventLoop) -> ListLine { part(of: loop).lists }

    private func part(of loop: EventLoop) -> Part {
        guard let part = parts[ObjectIdentifier(loop)] else {
            preconditionFailure("a connection lives on one of the server's loops")
        }
        return part.value
    }

    /// Nothing is counted here now.
    var isIdle: Bool {
        connections.now() == 0 && streams.now() == 0 && execs.now() == 0
            && execBytes.now() == 0 && messageBytes.now() == 0 && startsInFlight.now() == 0
    }

    /// One connection more.
    func addConnection() throws(ExecError) {
        try add(1, to: connections, max: limits.connectionsMax, "connections")
    }

    func removeConnection() { connections.subtract(1, ordering: .relaxed) }

    /// Throws where a further call must not be opened.
    func checkStreams() throws(ExecError) {
        guard streams.now() >= limits.streamsMax else { return }
        throw over("open calls", limits.streamsMax)
    }

    func addStream() { streams.add(1, ordering: .relaxed) }
    func removeStream() { streams.subtract(1, ordering: .relaxed) }

    /// Whether messages and answers that are held already, and these, are within the limit. They count
    /// either way. The bytes of execs have the same limit for themselves: an identity that has as many
    /// execs as it may have can still ask for them.
    func hold(bytes count: Int) -> Bool {
        messageBytes.add(count, ordering: .relaxed).newValue <= limits.bytesMax || count <= 0
    }

    /// An answer that is being gathered grows. Throws where it must not: such answers have half of the
    /// limit, so that they leave room for what closes a connection where it has none.
    func hold(answerBytes count: Int) throws(ExecError) {
        try add(count, to: messageBytes, max: limits.bytesMax / 2, "bytes of messages and answers")
    }

    /// An exec is about to be made that keeps so many bytes; what it keeps counts until the charge is gone.
    func chargeExec(bytes count: Int) throws(ExecError) -> ExecCharge {
        try add(1, to: execs, max: limits.execsMax, "execs")
        do throws(ExecError) {
            try add(count, to: execBytes, max: limits.bytesMax, "bytes of commands and labels")
        } catch {
            execs.subtract(1, ordering: .relaxed)
            throw error
        }
        return ExecCharge(self, bytes: count)
    }

    /// A start begins; `endStart` must follow once its result is known.
    func beginStart() throws(ExecError) {
        try add(1, to: startsInFlight, max: limits.startsInFlightMax, "starts in flight")
    }

    func endStart() { startsInFlight.subtract(1, ordering: .relaxed) }

    func removeExec(bytes count: Int) {
        execs.subtract(1, ordering: .relaxed)
        execBytes.subtract(count, ordering: .relaxed)
    }

    func release(execBytes count: Int) { execBytes.subtract(count, ordering: .relaxed) }

    private func add(
        _ count: Int,
        to counter: borrowing Atomic<Int>,
        max: Int,
        _ what: StaticString,
    ) throws(ExecError) {
        guard counter.add(count, ordering: .relaxed).newValue > max else { return }
        counter.subtract(count, ordering: .relaxed)
        throw over(what, max)
    }

    private func over(_ what: StaticString, _ max: Int) -> ExecError {
        ExecError(.resourceExhausted, "identity \(name) has \(max) \(what), the most it may have")
    }
}

extension Atomic<Int> {
    fileprivate borrowing func now() -> Int { load(ordering: .relaxed) }
}
