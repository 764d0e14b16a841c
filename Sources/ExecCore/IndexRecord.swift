internal import ExecModel

/// One chunk, as the index tells it: 24 bytes, little endian; its sequence is its number from 1.
///
///     u64 offset in its stream | u32 length | u8 stream (1 out, 2 err) | 3 zero | i64 unix_ns
struct IndexRecord: Hashable {
    var offset: UInt64
    var length: UInt32
    var stream: ExecStream
    var unixNS: Int64

    static let byteCount = 24

    var end: UInt64 { offset + UInt64(length) }

    /// Where the record of `sequence` stands in the index.
    static func position(of sequence: UInt64) -> UInt64 {
        precondition(sequence > 0)
        return (sequence - 1) * UInt64(byteCount)
    }

    func append(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: offset.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(stream.rawValue)
        for _ in 0..<3 { bytes.append(0) }
        withUnsafeBytes(of: unixNS.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Reads the record at `position`; nil: it is not one (a torn or foreign index).
    init?(_ bytes: RawSpan, at position: Int) {
        guard position >= 0, position + Self.byteCount <= bytes.byteCount else { return nil }
        let streamByte = bytes.unsafeLoad(fromByteOffset: position + 12, as: UInt8.self)
        guard let stream = ExecStream(rawValue: streamByte) else { return nil }
        self.stream = stream
        offset = UInt64(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
        )
        length = UInt32(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position + 8, as: UInt32.self)
        )
        unixNS = Int64(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position + 16, as: Int64.self)
        )
    }

    init(offset: UInt64, length: UInt32, stream: ExecStream, unixNS: Int64) {
        self.offset = offset
        self.length = length
        self.stream = stream
        self.unixNS = unixNS
    }

    init(_ chunk: Chunk) {
        self.init(
            offset: chunk.offset,
            length: UInt32(chunk.count),
            stream: chunk.stream,
            unixNS: chunk.unixNS,
        )
    }
}
