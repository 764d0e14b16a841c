/// Counts what a request has on the wire, before anything is made of it: the request is the one message
/// that a peer may send before it is known. A value.
///
/// Bounded: `fieldsMax` fields, whatever they are; `metadataMax` entries of the metadata and
/// `metadataBytesMax` bytes of them. More is a `DecodeFailure`.
struct RequestBounds {
    private let source: UnsafeRawBufferPointer
    private var offset = 0

    /// Entries of the metadata.
    static let metadataMax = 64
    /// Bytes of all entries together.
    static let metadataBytesMax = 8 << 10
    /// Fields of all kinds; a valid request has one for each entry of the metadata and four more.
    static let fieldsMax = 256

    /// The number of the field `metadata`.
    private static let metadataField: UInt32 = 5

    init(_ source: UnsafeRawBufferPointer) { self.source = source }

    /// Throws where there is more of something than there may be, or the bytes are no message.
    mutating func check() throws(DecodeFailure) {
        var (fields, entries, entryBytes) = (0, 0, 0)
        while offset < source.count {
            // A number of more than 32 bits is one that protobuf-c refuses.
            let key = try varint()
            let field = UInt32(truncatingIfNeeded: key >> 3)
            let start = offset
            try skip(wireType: key & 7)
            fields += 1
            guard fields <= Self.fieldsMax else {
                throw DecodeFailure("Request", "has more than \(Self.fieldsMax) fields")
            }
            guard field == Self.metadataField else { continue }
            entries += 1
            entryBytes += offset - start
            guard entries <= Self.metadataMax else {
                throw DecodeFailure(
                    "Request.metadata",
                    "has more than \(Self.metadataMax) entries"
                )
            }
            guard entryBytes <= Self.metadataBytesMax else {
                throw DecodeFailure(
                    "Request.metadata",
                    "has more than \(Self.metadataBytesMax) bytes"
                )
            }
        }
    }

    private mutating func skip(wireType: UInt64) throws(DecodeFailure) {
        switch wireType {
        case 0: _ = try varint()
        case 1: try skip(8)
        case 2: try skip(try varint())
        case 5: try skip(4)
        default: throw Self.invalid
        }
    }

    private mutating func skip(_ count: UInt64) throws(DecodeFailure) {
        guard count <= UInt64(source.count - offset) else { throw Self.invalid }
        offset += Int(count)
    }

    /// A number, also in a form that is longer than it must be.
    private mutating func varint() throws(DecodeFailure) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<Varint.byteCountMax {
            guard offset < source.count else { throw Self.invalid }
            let byte = source[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << (7 * UInt64(index))
            if byte < 0x80 { return value }
        }
        throw Self.invalid
    }

    private static let invalid = DecodeFailure("Request", "does not parse")
}
