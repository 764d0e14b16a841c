/// The bytes that writers have sent to an exec and that it has not taken yet, in order of arrival,
/// each run with the writer that gets credit for it. A value, bounded by `StdinCredit`.
struct StdinQueue {
    /// Bytes of one writer that lie side by side.
    private struct Run {
        var writer: UInt64
        var count: Int
    }

    /// What is written with one call: a large message, or small ones of any writers.
    private struct Piece {
        var bytes: [UInt8]
        var runs: [Run]
    }

    private var pieces: [Piece] = []
    private var head = 0
    /// Of the first piece: the bytes and the runs that were taken.
    private var taken = 0
    private var runsTaken = 0
    private var credit = StdinCredit()
    private(set) var isClosed = false

    /// Credit by writer.
    typealias Grants = [UInt64: Int]

    /// No writer has this number.
    private static let nobody: UInt64 = 0
    /// So many places of pieces that were taken may wait to be given back.
    private static let takenMax = 64
    /// Messages below this size share a piece. Without that a queue full of messages of one byte would
    /// hold many times its bytes.
    private static let smallBytes = 4 << 10
    /// A piece of small messages that has come to this size takes no more.
    private static let sharedBytes = 16 << 10

    var isEmpty: Bool { head == pieces.count }

    /// A writer comes. Returns its credit now; 0: it gets it later, by `take` or `drop`.
    mutating func join(_ writer: UInt64) -> Int { credit.join(writer) }

    /// A writer goes.
    mutating func leave(_ writer: UInt64) { credit.leave(writer) }

    /// Takes bytes that are within the writer's credit (the caller keeps that account). False: it is
    /// closed, and they are not taken.
    mutating func append(_ bytes: [UInt8], from writer: UInt64) -> Bool {
        guard !isClosed else { return false }
        add(bytes, from: writer)
        credit.sent(bytes.count, by: writer)
        return true
    }

    /// Takes bytes that stand for an end, and are nobody's. Of two ends with nothing between them the
    /// second says nothing new: so they are no more than the runs of the writers.
    mutating func appendEnd(_ bytes: [UInt8]) {
        guard isEmpty || pieces.last?.runs.last?.writer != Self.nobody else { return }
        add(bytes, from: Self.nobody)
    }

    /// No more will come; what lies here is still taken.
    mutating func close() { isClosed = true }

    /// Drops what lies here: the exec will never take anything again. Returns whose bytes those were,
    /// and adds the credit for them, and for those who waited, to `grants`.
    mutating func drop(_ grants: inout Grants) -> Int {
        var dropped: Grants = [:]
        for piece in pieces[head...] {
            for run in piece.runs { dropped[run.writer, default: 0] += run.count }
        }
        dropped[Self.nobody] = nil
        pieces = []
        (head, taken, runsTaken) = (0, 0, 0)
        credit.drop()
        for (writer, count) in dropped where credit.contains(writer) {
            grants[writer, default: 0] += count
        }
        credit.admit { writer, count in grants[writer, default: 0] += count }
        return dropped.values.reduce(0, +)
    }

    /// Lends the oldest bytes; nil: there are none.
    func withFront<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R? {
        guard head < pieces.count else { return nil }
        let bytes = pieces[head].bytes
        return try body(bytes.span.bytes.extracting(taken..<bytes.count))
    }

    /// The exec has taken `count` of the oldest bytes. Adds the credit that writers get because of it.
    mutating func take(_ count: Int, _ grants: inout Grants) {
        taken += count
        precondition(taken <= pieces[head].bytes.count)
        var left = count
        while left > 0 {
            let run = pieces[head].runs[runsTaken]
            let part = min(left, run.count)
            left -= part
            // What was taken of a run is not counted again by `drop`.
            pieces[head].runs[runsTaken].count -= part
            if part == run.count { runsTaken += 1 }
            guard run.writer != Self.nobody else { continue }
            let granted = credit.taken(part, from: run.writer)
            if granted > 0 { grants[run.writer, default: 0] += granted }
        }
        if taken == pieces[head].bytes.count { removeFront() }
        credit.admit { writer, count in grants[writer, default: 0] += count }
    }

    private mutating func add(_ bytes: [UInt8], from writer: UInt64) {
        guard !bytes.isEmpty else { return }
        let run = Run(writer: writer, count: bytes.count)
        let last = pieces.count - 1
        guard bytes.count < Self.smallBytes, head <= last,
            pieces[last].bytes.count < Self.sharedBytes
        else { return pieces.append(Piece(bytes: bytes, runs: [run])) }
        pieces[last].bytes += bytes
        let lastRun = pieces[last].runs.count - 1
        if pieces[last].runs[lastRun].writer == writer {
            pieces[last].runs[lastRun].count += run.count
        } else {
            pieces[last].runs.append(run)
        }
    }

    private mutating func removeFront() {
        (taken, runsTaken) = (0, 0)
        pieces[head] = Piece(bytes: [], runs: [])
        head += 1
        // All at once, or the larger half: else what is taken would stay for as long as writers are
        // ahead of the exec.
        if head == pieces.count || head >= Self.takenMax && head * 2 > pieces.count {
            pieces.removeFirst(head)
            head = 0
        }
    }
}
