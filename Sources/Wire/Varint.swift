/// Protobuf's numbers: seven bits a byte, the lowest first.
enum Varint {
    /// A number's size at most.
    static let byteCountMax = 10

    /// A number's size.
    static func byteCount(_ value: UInt64) -> Int {
        (UInt64.bitWidth - (value | 1).leadingZeroBitCount + 6) / 7
    }
}

/// Writes protobuf by hand, where a generated struct would be a detour.
struct WireWriter {
    private let target: UnsafeMutableRawBufferPointer
    /// How many bytes have been written.
    private(set) var count: Int

    /// Writes to `target` from `start` on; running out of room traps.
    init(_ target: UnsafeMutableRawBufferPointer, from start: Int = 0) {
        self.target = target
        count = start
    }

    mutating func write(byte: UInt8) {
        precondition(count < target.count, "no room for a header")
        target[count] = byte
        count += 1
    }

    mutating func write(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            write(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        write(byte: UInt8(truncatingIfNeeded: rest))
    }

    /// Writes what stands in front of bytes.
    mutating func write(tag: UInt8, length: Int) {
        write(byte: tag)
        write(varint: UInt64(length))
    }

    /// Writes a number field, unless it is 0, as proto3 does.
    mutating func write(tag: UInt8, nonZero value: UInt64) {
        guard value != 0 else { return }
        write(byte: tag)
        write(varint: value)
    }

    /// What `write(tag:nonZero:)` writes.
    static func byteCount(nonZero value: UInt64) -> Int {
        value == 0 ? 0 : 1 + Varint.byteCount(value)
    }
}

/// Reads protobuf by hand, but only in the one form that a writer of our kind produces: whatever
/// else comes is left to protobuf-c.
struct WireReader {
    private let source: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ source: UnsafeRawBufferPointer) { self.source = source }

    /// How many bytes are left.
    var rest: Int { source.count - offset }

    /// Passes over the byte that must be next.
    mutating func take(tag: UInt8) -> Bool {
        guard rest > 0, source[offset] == tag else { return false }
        offset += 1
        return true
    }

    /// Reads a number in its shortest form.
    mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for index in 0..<Varint.byteCountMax {
            guard rest > 0 else { return nil }
            let byte = source[offset]
            offset += 1
            if index == Varint.byteCountMax - 1, byte > 1 { return nil }
            value |= UInt64(byte & 0x7f) << (7 * UInt64(index))
            if byte < 0x80 { return byte == 0 && index > 0 ? nil : value }
        }
        return nil
    }

    /// Reads a number field; 0 where it is not there, nil where it is there and 0.
    mutating func number(tag: UInt8) -> UInt64? {
        guard take(tag: tag) else { return 0 }
        guard let value = varint(), value != 0 else { return nil }
        return value
    }

    /// Reads the length of a field that must reach to the end.
    mutating func lengthToEnd() -> Bool {
        guard let length = varint() else { return false }
        return length == UInt64(rest)
    }
}

extension RawSpan {
    /// The bytes in `range`, to keep.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { Array($0) }
    }
}
