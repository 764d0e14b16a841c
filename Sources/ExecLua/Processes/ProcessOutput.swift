internal import ExecClient
internal import ExecModel

/// What has come of a process's two streams and was not read yet.
///
/// A value, bounded by `bytesMax` and one chunk: a stream that would pass it, and that nobody waits
/// for, falls *behind*. Then what is held of it is let go of; whoever reads it later gets it from the
/// server's log. So neither a script that reads the other stream first, nor one that waits for the
/// exit, can stall, and nothing is lost.
struct ProcessOutput {
    private var stdout = StreamBuffer()
    private var stderr = StreamBuffer()

    /// The most that is held of both streams together, before one falls behind.
    static let bytesMax = 256 << 10

    /// Whether more may come.
    var hasRoom: Bool { stdout.byteCount + stderr.byteCount < Self.bytesMax }

    /// A chunk has come. `isAwaited`: somebody reads its stream just now.
    mutating func add(_ chunk: SessionEvent.Output, isAwaited: Bool) {
        let isFull = !hasRoom && !isAwaited
        change(chunk.stream) { $0.add(chunk.bytes[...], chunk.sequence, isFull: isFull) }
    }

    /// The first that is there of a stream, at most `max` bytes.
    mutating func take(_ stream: ExecStream, max: Int) -> Taken {
        change(stream) { $0.take(max: max) }
    }

    /// What comes of the stream from now on is dropped, and what is held of it.
    mutating func close(_ stream: ExecStream) { change(stream) { $0.close() } }

    /// Whether part of the stream is in the log alone.
    func isBehind(_ stream: ExecStream) -> Bool {
        (stream == .stdout ? stdout : stderr).isBehind
    }

    /// What `take` finds.
    enum Taken: Equatable {
        case bytes(ArraySlice<UInt8>)
        /// Nothing yet.
        case nothing
        /// What comes next is in the log, after this sequence.
        case behind(after: UInt64)
    }

    private mutating func change<Result>(
        _ stream: ExecStream,
        _ body: (inout StreamBuffer) -> Result,
    ) -> Result {
        stream == .stdout ? body(&stdout) : body(&stderr)
    }
}

/// One stream's part.
private struct StreamBuffer {
    private var chunks: [Chunk] = []
    private var head = 0
    private(set) var byteCount = 0
    /// The last sequence before what is in the log alone.
    private var behindAfter: UInt64?
    private var isClosed = false

    private struct Chunk {
        var bytes: ArraySlice<UInt8>
        let sequence: UInt64
        /// The first of it has been taken.
        var isBegun = false
    }

    /// Small chunks are handed out together, up to this; larger ones as they are, without a copy.
    private static let pieceBytes = 64 << 10

    var isBehind: Bool { behindAfter != nil && !isClosed }

    mutating func add(_ bytes: ArraySlice<UInt8>, _ sequence: UInt64, isFull: Bool) {
        if isClosed || behindAfter != nil { return }
        if isFull { return fallBehind(before: sequence) }
        chunks.append(Chunk(bytes: bytes, sequence: sequence))
        byteCount += bytes.count
    }

    mutating func take(max: Int) -> ProcessOutput.Taken {
        guard head < chunks.count else { return behindAfter.map { .behind(after: $0) } ?? .nothing }
        var piece = popFirst(max: max)
        while head < chunks.count,
            piece.count + chunks[head].bytes.count <= min(Self.pieceBytes, max)
        {
            piece += popFirst(max: max)
        }
        byteCount -= piece.count
        return .bytes(piece)
    }

    mutating func close() {
        isClosed = true
        chunks = []
        head = 0
        byteCount = 0
    }

    /// Lets go of all but a chunk of which the first part has been read: the log has whole chunks.
    private mutating func fallBehind(before sequence: UInt64) {
        let held = chunks[head...]
        let kept = held.first?.isBegun == true ? Array(held.prefix(1)) : []
        let firstGone = held.dropFirst(kept.count).first?.sequence ?? sequence
        behindAfter = firstGone - 1
        chunks = kept
        head = 0
        byteCount = kept.first?.bytes.count ?? 0
    }

    private mutating func popFirst(max: Int) -> ArraySlice<UInt8> {
        let bytes = chunks[head].bytes
        if bytes.count > max {
            chunks[head].bytes = bytes.dropFirst(max)
            chunks[head].isBegun = true
            return bytes.prefix(max)
        }
        // Not two owners of the bytes: to add to them would copy them.
        chunks[head].bytes = []
        head += 1
        if head * 2 >= chunks.count {
            chunks.removeFirst(head)
            head = 0
        }
        return bytes
    }
}
