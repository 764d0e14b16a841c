/// How much of a log's oldest part was given back to the disk: whole chunks, of both streams. A
/// sequence or an offset never changes by it.
struct LogTrim: Hashable, Sendable {
    /// The newest chunk whose bytes are gone; 0: none are.
    var through: UInt64 = 0
    /// How far the streams had come with that one.
    var offsets = StreamOffsets()
    /// The newest chunk whose index record is gone as well. Records outlive the bytes for a while, so
    /// that a viewer which asks for those is told exactly what it misses.
    var recordsThrough: UInt64 = 0

    /// What the trimmed chunks took, their records included.
    var cost: UInt64 { Self.cost(of: offsets, through) }

    /// What a log takes that has come to `sequence` and so far in its streams.
    static func cost(of offsets: StreamOffsets, _ sequence: UInt64) -> UInt64 {
        offsets.stdout &+ offsets.stderr &+ sequence &* UInt64(IndexRecord.byteCount)
    }
}

// MARK: - The file

extension LogTrim {
    /// `u64` through, stdout's offset, stderr's offset, records through, check; little endian. Earlier
    /// versions wrote no check.
    static let byteCount = 40
    private static let uncheckedByteCount = 32

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        let values = [through, offsets.stdout, offsets.stderr, recordsThrough]
        for value in values + [Self.check(values)] {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private static func check(_ values: [UInt64]) -> UInt64 {
        values.reduce(0x9E37_79B9_7F4A_7C15) { mixed, value in
            let product = (mixed ^ value) &* 0xD6E8_FEB8_6659_FD93
            return product ^ product >> 32
        }
    }

    /// Nil: these bytes are not one.
    init?(_ bytes: RawSpan) {
        guard [Self.byteCount, Self.uncheckedByteCount].contains(bytes.byteCount) else {
            return nil
        }
        var values: [UInt64] = []
        for position in stride(from: 0, to: bytes.byteCount, by: 8) {
            let value = bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
            values.append(UInt64(littleEndian: value))
        }
        if values.count == 5, values[4] != Self.check(Array(values[..<4])) { return nil }
        guard values[3] <= values[0] else { return nil }
        through = values[0]
        offsets = StreamOffsets(stdout: values[1], stderr: values[2])
        recordsThrough = values[3]
    }
}
