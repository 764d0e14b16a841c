internal import ExecModel

/// One chunk, as the index tells it: 24 bytes, little endian; its sequence is its number from 1.
///
///     u64 offset in its stream | u32 length | u8 stream (1 out, 2 err) | u24 check | i64 unix_ns
///
/// `check` tells a record that was changed, or that stands in another's place, from what was written. It
/// is 0 in the indexes of earlier versions, whose records are known by their neighbours alone.
struct IndexRecord: Hashable {
    var offset: UInt64
    var length: UInt32
    var stream: ExecStream
    var unixNS: Int64

    /// Whether it was read with a check that is right, and not only believed.
    private(set) var isChecked = true

    static let byteCount = 24
    private static let lengths = 1...RegistryConfiguration.chunkBytesLimit
    /// No file is larger.
    private static let offsetMax = UInt64(Int64.max) - UInt64(UInt32.max)

    var end: UInt64 { offset + UInt64(length) }

    /// Where the record of `sequence` stands in the index.
    static func position(of sequence: UInt64) -> UInt64 {
        precondition(sequence > 0)
        return (sequence - 1) * UInt64(byteCount)
    }

    /// Adds the bytes of the record of `sequence`.
    func append(to bytes: inout [UInt8], as sequence: UInt64) {
        let check = check(as: sequence)
        withUnsafeBytes(of: offset.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(stream.rawValue)
        for shift: UInt32 in [0, 8, 16] { bytes.append(UInt8(truncatingIfNeeded: check >> shift)) }
        withUnsafeBytes(of: unixNS.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Never 0.
    private func check(as sequence: UInt64) -> UInt32 {
        var mixed = sequence &* 0x9E37_79B9_7F4A_7C15
        for word in [
            offset, UInt64(length) | UInt64(stream.rawValue) << 32, UInt64(bitPattern: unixNS),
        ] {
            mixed = (mixed ^ word) &* 0xD6E8_FEB8_6659_FD93
            mixed ^= mixed >> 32
        }
        mixed = mixed &* 0xD6E8_FEB8_6659_FD93
        return max(1, UInt32(truncatingIfNeeded: mixed >> 40))
    }

    /// Reads the record of `sequence` at `position`; nil: it is not one (a torn, changed or foreign
    /// index). Of one that there is, the length is that of a chunk, and the end can be reckoned with.
    init?(_ bytes: RawSpan, at position: Int, of sequence: UInt64) {
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
        let word = UInt32(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position + 12, as: UInt32.self)
        )
        isChecked = word >> 8 != 0
        guard Self.lengths.contains(Int(length)), offset <= Self.offsetMax,
            !isChecked || word >> 8 == check(as: sequence)
        else { return nil }
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
