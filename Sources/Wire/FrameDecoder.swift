/// Cuts a byte stream into frames, however the bytes arrive.
///
/// A frame that lies whole within the bytes is lent as it lies, uncopied. One that arrives in
/// pieces is gathered in memory that grows with what has arrived, never with what its length
/// claims, so a peer can make this hold no more than it has sent, and at most one frame. A payload
/// over the bound is skipped without being stored.
package struct FrameDecoder: Sendable {
    private var payloadBytesMax: Int
    /// The header and payload of the frame that has arrived in part; empty: between two frames.
    private var gathered: [UInt8] = []
    /// The oversized frame that is being skipped, and how much of it is still to come.
    private var skipped: (header: FrameHeader, rest: Int)?

    /// Decodes frames whose payloads have at most `payloadBytesMax` bytes.
    package init(payloadBytesMax: Int = Frames.payloadBytesMax) {
        self.payloadBytesMax = payloadBytesMax
    }

    /// A frame has begun and not ended: if the peer goes away now, it did so in the middle.
    package var isMidFrame: Bool { !gathered.isEmpty || skipped != nil }

    /// The bytes that are held of a frame that has arrived in part.
    package var gatheredBytes: Int { gathered.count }

    /// The memory that is held for a frame in pieces.
    var gatheredCapacity: Int { gathered.capacity }

    /// Hands each frame that `bytes` completes to `each`, in order, and keeps what is left. Stops
    /// before a frame where `isWanted` says no; returns how many bytes it took. At the start of each
    /// frame `bound` is asked for the most that a payload may have from then on; nil: as before.
    ///
    /// The span is valid during the call only. An oversized frame comes once, after its last byte,
    /// with an empty payload. After a throw the decoder is of no further use.
    @discardableResult
    package mutating func decode(
        _ bytes: RawSpan,
        payloadBytesMax bound: () -> Int? = { nil },
        while isWanted: () -> Bool = { true },
        _ each: (FrameHeader, RawSpan) -> Void,
    ) throws(NotFrames) -> Int {
        do {
            return try cut(bytes, asking: bound, while: isWanted, each)
        } catch {
            switch error {
            case .notFrames(let failure): throw failure
            }
        }
    }

    /// As `decode`, for a consumer that may fail: then the rest of `bytes` is lost.
    package mutating func decode<Failure: Error>(
        _ bytes: RawSpan,
        _ each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) {
        _ = try cut(bytes, asking: { nil }, while: { true }, each)
    }

    private mutating func cut<Failure: Error>(
        _ bytes: RawSpan,
        asking bound: () -> Int?,
        while isWanted: () -> Bool,
        _ each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) -> Int {
        var offset = 0
        while offset < bytes.byteCount, isWanted() {
            let rest = bytes.extracting(offset...)
            if skipped != nil {
                offset += try skip(rest, each)
            } else if gathered.isEmpty {
                if let bound = bound() { payloadBytesMax = bound }
                offset += try lend(rest, each)
            } else {
                offset += try gather(rest, each)
            }
        }
        return offset
    }

    /// Why decoding stopped.
    package enum Stop<Consumer: Error>: Error {
        /// The bytes are not ttrpc.
        case notFrames(NotFrames)
        /// The consumer threw this.
        case consumer(Consumer)
    }
}

extension FrameDecoder {
    /// At a frame's start: lends it if it is whole, else begins to gather or to skip it.
    private mutating func lend<Failure: Error>(
        _ bytes: RawSpan,
        _ each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) -> Int {
        guard bytes.unsafeLoad(as: UInt8.self) == 0 else { throw .notFrames(NotFrames(bytes)) }
        guard let header = FrameHeader(bytes) else { return keep(bytes, bytes.byteCount) }
        if header.length > payloadBytesMax {
            skipped = (header, header.length)
            return FrameHeader.byteCount
        }
        let end = FrameHeader.byteCount + header.length
        guard bytes.byteCount >= end else { return keep(bytes, bytes.byteCount) }
        try hand(header, bytes.extracting(FrameHeader.byteCount..<end), to: each)
        return end
    }

    /// In the middle of a frame: adds what belongs to it, and hands it over once it is whole.
    private mutating func gather<Failure: Error>(
        _ bytes: RawSpan,
        _ each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) -> Int {
        var taken = 0
        if gathered.count < FrameHeader.byteCount {
            taken = keep(bytes, FrameHeader.byteCount - gathered.count)
        }
        guard let header = FrameHeader(gathered.span.bytes) else { return taken }
        if header.length > payloadBytesMax {
            gathered.removeAll()
            skipped = (header, header.length)
            return taken
        }
        let end = FrameHeader.byteCount + header.length
        taken += keep(bytes.extracting(taken...), end - gathered.count)
        guard gathered.count == end else { return taken }
        // Taken out, so that the consumer may ask this decoder something.
        var frame: [UInt8] = []
        swap(&frame, &gathered)
        try hand(header, frame.span.bytes.extracting(FrameHeader.byteCount...), to: each)
        if frame.capacity <= Self.keptBytesMax {
            frame.removeAll(keepingCapacity: true)
            swap(&frame, &gathered)
        }
        return taken
    }

    /// In an oversized payload: passes over it, and reports it once it has gone by.
    private mutating func skip<Failure: Error>(
        _ bytes: RawSpan,
        _ each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) -> Int {
        guard var (header, rest) = skipped else { return 0 }
        let taken = min(rest, bytes.byteCount)
        rest -= taken
        guard rest == 0 else {
            skipped = (header, rest)
            return taken
        }
        skipped = nil
        header.isOversized = true
        try hand(header, bytes.extracting(first: 0), to: each)
        return taken
    }

    private func hand<Failure: Error>(
        _ header: FrameHeader,
        _ payload: RawSpan,
        to each: (FrameHeader, RawSpan) throws(Failure) -> Void,
    ) throws(Stop<Failure>) {
        do { try each(header, payload) } catch { throw .consumer(error) }
    }

    /// Gathers the first `count` of `bytes`, or as many as there are; returns how many those were.
    private mutating func keep(_ bytes: RawSpan, _ count: Int) -> Int {
        let taken = min(count, bytes.byteCount)
        bytes.extracting(first: taken).withUnsafeBytes { gathered.append(contentsOf: $0) }
        return taken
    }

    /// A larger buffer is released after its frame, so that an idle connection holds little.
    private static let keptBytesMax = 16 * 1024
}
