/// The bytes that clients have sent to an exec and that it has not taken yet: bounded, in order of
/// arrival, each piece with the writer that is to get its credit back. A value.
///
/// Credit is promised in parts, so that all the writers together can never overfill the queue: a
/// writer that comes when everything is promised gets its part when another has gone.
struct StdinQueue {
    private struct Piece {
        var bytes: [UInt8]
        var writer: UInt64
    }

    private var pieces: [Piece] = []
    private var head = 0
    private var taken = 0
    /// Promised to each writer: its credit, and its bytes that lie here.
    private var promised: [UInt64: Int] = [:]
    /// Writers without a promise yet, in order.
    private var waiting: [UInt64] = []
    private var promisedTotal = 0
    /// Of writers that have gone: their bytes still count until they are taken.
    private var orphaned: [UInt64: Int] = [:]
    private(set) var isClosed = false
    /// Nothing is kept any more, so nobody has to wait for room.
    private var isDropped = false

    /// No writer has this number.
    private static let nobody: UInt64 = 0
    /// The most bytes of one exec's stdin in flight.
    static let bytesMax = 256 << 10
    /// What one writer is promised.
    static let partBytes = 64 << 10
    /// So many places of pieces that were taken may wait to be given back.
    private static let takenMax = 64

    var isEmpty: Bool { head == pieces.count }

    /// A writer comes. Returns its credit now; 0: it gets it later, by `settle`.
    mutating func join(_ writer: UInt64) -> Int {
        guard hasRoom else {
            waiting.append(writer)
            return 0
        }
        promise(writer)
        return Self.partBytes
    }

    /// A writer goes. Returns the one that gets its part, if one waits.
    mutating func leave(_ writer: UInt64) -> UInt64? {
        waiting.removeAll { $0 == writer }
        guard let part = promised.removeValue(forKey: writer) else { return nil }
        let queued = pieces[head...].reduce(0) { $0 + ($1.writer == writer ? $1.bytes.count : 0) }
        if queued > 0 {
            orphaned[writer] = part
            return nil
        }
        promisedTotal -= part
        return promiseNext()
    }

    /// Takes bytes that are within the writer's credit (the caller keeps that account). False: it is
    /// closed, and they are not taken.
    mutating func append(_ bytes: [UInt8], from writer: UInt64) -> Bool {
        guard !isClosed else { return false }
        if !bytes.isEmpty { pieces.append(Piece(bytes: bytes, writer: writer)) }
        return true
    }

    /// Takes bytes that stand for an end, and are nobody's. Of two ends with nothing between them the
    /// second says nothing new: so they are no more than the pieces of the writers.
    mutating func appendEnd(_ bytes: [UInt8]) {
        guard !bytes.isEmpty, isEmpty || pieces.last?.writer != Self.nobody else { return }
        pieces.append(Piece(bytes: bytes, writer: Self.nobody))
    }

    /// No more will come; what lies here is still taken.
    mutating func close() { isClosed = true }

    /// Drops what lies here, and promises whoever waits: the exec will never take anything again.
    /// Returns whose bytes those were, and who has been promised a part.
    mutating func drop() -> (dropped: [UInt64: Int], promisedTo: [UInt64]) {
        var dropped: [UInt64: Int] = [:]
        for piece in pieces[head...] { dropped[piece.writer, default: 0] += piece.bytes.count }
        if head < pieces.count { dropped[pieces[head].writer, default: 0] -= taken }
        dropped[Self.nobody] = nil
        pieces = []
        head = 0
        taken = 0
        isDropped = true
        let promisedTo = waiting
        waiting = []
        for writer in promisedTo { promise(writer) }
        return (dropped, promisedTo)
    }

    /// Lends the oldest bytes; nil: there are none.
    func withFront<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R? {
        guard head < pieces.count else { return nil }
        let bytes = pieces[head].bytes
        return try body(bytes.span.bytes.extracting(taken..<bytes.count))
    }

    /// The exec has taken `count` of the oldest bytes. Returns whose they were, and who has been
    /// promised a part because of it.
    mutating func take(_ count: Int) -> (writer: UInt64, promisedTo: UInt64?) {
        let piece = pieces[head]
        taken += count
        precondition(taken <= piece.bytes.count)
        if taken == piece.bytes.count {
            taken = 0
            pieces[head].bytes = []
            head += 1
            // All at once, or the larger half: else what is taken would stay for as long as writers are
            // ahead of the exec.
            if head == pieces.count || head >= Self.takenMax && head * 2 > pieces.count {
                pieces.removeFirst(head)
                head = 0
            }
        }
        var next: UInt64?
        if let part = orphaned[piece.writer],
            !pieces[head...].contains(where: { $0.writer == piece.writer })
        {
            orphaned[piece.writer] = nil
            promisedTotal -= part
            next = promiseNext()
        }
        return (piece.writer, next)
    }

    private mutating func promiseNext() -> UInt64? {
        guard !waiting.isEmpty, hasRoom else { return nil }
        let next = waiting.removeFirst()
        promise(next)
        return next
    }

    private var hasRoom: Bool { isDropped || promisedTotal + Self.partBytes <= Self.bytesMax }

    private mutating func promise(_ writer: UInt64) {
        promised[writer] = Self.partBytes
        promisedTotal += Self.partBytes
    }
}
