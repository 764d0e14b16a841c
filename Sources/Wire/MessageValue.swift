internal import CProtobufC

/// A value that has a message of its own in the contract, and so a generated C struct.
protocol MessageValue {
    /// The generated struct.
    associatedtype Raw

    /// The generated initialiser: makes a struct the empty message.
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { get }

    /// Takes over what protobuf-c has read. A failure's place starts at this message's field.
    init(raw: UnsafePointer<Raw>) throws(DecodeFailure)

    /// Sets the fields of `raw`, which is the empty message; what they point to is in `arena`.
    func fill(_ raw: inout Raw, in arena: inout MessageArena)
}

/// A message that travels by itself.
protocol TopMessage: MessageValue, WireMessage {
    typealias Unpack = (
        UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?,
    ) -> UnsafeMutablePointer<Raw>?

    /// The generated parser.
    static var unpack: Unpack { get }

    /// Where the places of failures start; nil: `init(raw:)` tells the whole place itself.
    static var outermostPlace: String? { get }
}

extension TopMessage {
    static var outermostPlace: String? { wireName }

    package static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> Self {
        try decodeAny(bytes)
    }

    /// Decodes with protobuf-c, whatever the message is.
    static func decodeAny(_ bytes: RawSpan) throws(DecodeFailure) -> Self {
        try bytes.withUnsafeBytes { buffer throws(DecodeFailure) in
            try MessageArena.with(bytesMax: MessageArena.decodeBytesMax) {
                arena throws(DecodeFailure) in
                try decode(buffer, in: &arena)
            }
        }
    }

    static func decode(
        _ buffer: UnsafeRawBufferPointer,
        in arena: inout MessageArena,
    ) throws(DecodeFailure) -> Self {
        let raw = arena.withAllocator { allocator in
            unpack(
                allocator,
                buffer.count,
                buffer.baseAddress?.assumingMemoryBound(to: UInt8.self),
            )
        }
        guard let raw else { throw DecodeFailure(wireName, "does not parse") }
        do { return try Self(raw: raw) } catch {
            guard let outermostPlace else { throw error }
            throw error.inside(outermostPlace)
        }
    }

    package func withPacked<Result, Failure: Error>(
        _ body: (borrowing PackedMessage) throws(Failure) -> Result,
    ) throws(Failure) -> Result {
        try MessageArena.with { arena throws(Failure) in
            let base = UnsafeRawPointer(arena.message(self))
            return try body(PackedMessage(base.assumingMemoryBound(to: ProtobufCMessage.self)))
        }
    }
}
