internal import ExecCore
internal import Kernel
internal import Wire

/// The frames of one write: one per loop, used by one connection at a time, so that a connection
/// that has nothing to say costs no buffer.
///
/// What the socket does not take is given back: an output frame that has not begun is taken back by
/// its stream (its cursor rewinds), so that nothing is ever queued for a slow viewer but the rest of
/// the frame that is half written.
final class OutgoingBatch {
    private enum Content {
        case control
        case output(stream: SessionStream, Chunk)
    }

    private struct Frame {
        var end: Int
        var content: Content
    }

    private let list = GatherList()
    private var frames: [Frame] = []
    /// Where streams put the chunks they pull.
    let viewerBatch = ViewerBatch()

    init() { frames.reserveCapacity(GatherList.partsMax) }

    var isEmpty: Bool { list.isEmpty }
    var byteCount: Int { list.byteCount }

    /// Whether another output frame fits.
    var hasRoom: Bool { list.hasRoom(for: OutputFrame.headerBytesMax) }

    /// Whether control frames of this size fit.
    func hasRoom(for bytes: Int) -> Bool { list.hasRoom(for: bytes) }

    /// Adds whole control frames.
    func appendControl(_ bytes: RawSpan) {
        list.appendPiece(bytes)
        frames.append(Frame(end: list.byteCount, content: .control))
    }

    /// Adds the output frame of a chunk; the payload stays where it is.
    func appendOutput(_ chunk: Chunk, replay: Bool, of stream: SessionStream) {
        list.appendPiece(max: OutputFrame.headerBytesMax) { buffer in
            OutputFrame.writeHeader(
                into: buffer,
                streamID: stream.id,
                sequence: chunk.sequence,
                offset: chunk.offset,
                unixNS: chunk.unixNS,
                replay: replay,
                stream: chunk.stream,
                payloadCount: chunk.count,
            )
        }
        list.append(chunk.slab, at: chunk.start, count: chunk.count)
        frames.append(Frame(end: list.byteCount, content: .output(stream: stream, chunk)))
    }

    /// What came of a write.
    enum Result {
        case all
        /// The socket is full. These bytes, the rest of what has begun, must be sent first; there may
        /// be none, where the transport keeps the last.
        case partly(rest: [UInt8])
    }

    /// Writes everything, or as much as the socket takes. Leaves the batch empty.
    func send(to socket: borrowing Transport) throws(TransportFailure) -> Result {
        defer {
            list.removeAll()
            frames.removeAll(keepingCapacity: true)
        }
        let sent = try socket.send(list) ?? 0
        if sent == list.byteCount, !socket.hasUnsent { return .all }
        return .partly(rest: takeBack(from: sent))
    }

    private func takeBack(from sent: Int) -> [UInt8] {
        var rest: [UInt8] = []
        var start = 0
        var firstUnsent = frames.count
        for (index, frame) in frames.enumerated() {
            defer { start = frame.end }
            guard frame.end > sent else { continue }
            firstUnsent = min(firstUnsent, index)
            switch frame.content {
            case .output where start >= sent: continue
            case .output, .control: rest += list.copy(max(start, sent)..<frame.end)
            }
        }
        // The newest first: each stream's cursor goes back chunk by chunk.
        for index in frames.indices[firstUnsent...].reversed() {
            let begins = index == 0 ? 0 : frames[index - 1].end
            if begins >= sent, case .output(let stream, let chunk) = frames[index].content {
                stream.takeBack(chunk)
            }
        }
        return rest
    }
}
