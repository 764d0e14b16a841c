package import ExecModel

/// The frame of one chunk, all but the chunk's bytes: these follow from wherever they lie.
///
/// Written by hand, because this is most of what a server sends; the bytes are those of
/// protobuf-c.
package enum OutputFrame {
    /// Room for any header.
    package static let headerBytesMax = 64
    /// The most bytes of a chunk that fit into one frame.
    package static let payloadBytesMax = Frames.payloadBytesMax - headerBytesMax

    /// Writes what stands in front of a chunk's bytes: the frame's header, and the message up to
    /// its data. Returns how many bytes that took of `target`, which has `headerBytesMax` or more.
    package static func writeHeader(
        into target: UnsafeMutableRawBufferPointer,
        streamID: UInt32,
        sequence: UInt64,
        offset: UInt64,
        unixNS: Int64,
        replay: Bool,
        stream: ExecStream,
        payloadCount: Int,
    ) -> Int {
        precondition(target.count >= headerBytesMax, "no room for a chunk's header")
        precondition((0...payloadBytesMax).contains(payloadCount), "a chunk can't be that large")
        let unixNS = UInt64(bitPattern: unixNS)
        let outputCount =
            WireWriter.byteCount(nonZero: sequence) + WireWriter.byteCount(nonZero: offset)
            + WireWriter.byteCount(nonZero: unixNS) + (replay ? 2 : 0)
            + 1 + Varint.byteCount(UInt64(payloadCount)) + payloadCount
        let length = 1 + Varint.byteCount(UInt64(outputCount)) + outputCount
        FrameHeader(length: length, streamID: streamID, type: .data).write(into: target)

        var writer = WireWriter(target, from: FrameHeader.byteCount)
        writer.write(tag: OutputTag.output, length: outputCount)
        writer.write(tag: OutputTag.sequence, nonZero: sequence)
        writer.write(tag: OutputTag.offset, nonZero: offset)
        writer.write(tag: OutputTag.unixNS, nonZero: unixNS)
        writer.write(tag: OutputTag.replay, nonZero: replay ? 1 : 0)
        writer.write(tag: OutputTag.data(stream), length: payloadCount)
        return writer.count
    }
}

/// The tags of a SessionResponse that is an Output: field number and wire type.
enum OutputTag {
    static let output: UInt8 = 2 << 3 | 2
    static let sequence: UInt8 = 1 << 3
    static let offset: UInt8 = 2 << 3
    static let unixNS: UInt8 = 3 << 3
    static let replay: UInt8 = 4 << 3

    static func data(_ stream: ExecStream) -> UInt8 {
        switch stream {
        case .stdout: 14 << 3 | 2
        case .stderr: 15 << 3 | 2
        }
    }
}
