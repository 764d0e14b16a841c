/// The ten bytes in front of every frame's payload.
package struct FrameHeader: Hashable, Sendable {
    /// How many bytes the payload has.
    package var length: Int
    /// The call this frame belongs to.
    package var streamID: UInt32
    /// What the payload is.
    package var type: FrameType
    /// What the sender says about its side of the stream.
    package var flags: FrameFlags
    /// The payload was over the decoder's bound: it has been skipped, and is not there.
    package var isOversized = false

    /// A header's size on the wire.
    package static let byteCount = 10

    /// Describes a frame that is to be sent.
    package init(length: Int, streamID: UInt32, type: FrameType, flags: FrameFlags = []) {
        self.length = length
        self.streamID = streamID
        self.type = type
        self.flags = flags
    }

    /// Reads the header that `bytes` starts with; nil: it is not all there yet.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= Self.byteCount else { return nil }
        self = bytes.withUnsafeBytes { buffer in
            Self(
                length: Int(UInt32(bigEndian: buffer.loadUnaligned(as: UInt32.self))),
                streamID: UInt32(
                    bigEndian: buffer.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                ),
                type: FrameType(rawValue: buffer[8]),
                flags: FrameFlags(rawValue: buffer[9]),
            )
        }
    }

    /// Writes the header to the start of `target`, which has room for `byteCount` bytes.
    package func write(into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.byteCount, "no room for a frame header")
        precondition((0...Frames.payloadBytesMax).contains(length), "a frame can't be that long")
        target.storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
        target.storeBytes(of: streamID.bigEndian, toByteOffset: 4, as: UInt32.self)
        target[8] = type.rawValue
        target[9] = flags.rawValue
    }

    /// Appends the header to `output`.
    package func append(to output: inout [UInt8]) {
        output.append(addingCapacity: Self.byteCount) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                write(into: UnsafeMutableRawBufferPointer(buffer))
                count = Self.byteCount
            }
        }
    }
}

/// What a frame's payload is. Open: a frame of an unknown type is ignored, not refused.
package struct FrameType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Opens a call; the payload is a `CallRequest`.
    package static let request = FrameType(rawValue: 1)
    /// Ends a call; the payload is a `CallResponse`.
    package static let response = FrameType(rawValue: 2)
    /// One message of a stream, bare.
    package static let data = FrameType(rawValue: 3)
}

/// What a frame's sender says about its side of the stream. Unknown bits are kept and ignored.
package struct FrameFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The sender will send no more on this stream.
    package static let remoteClosed = FrameFlags(rawValue: 1)
    /// On a request: more messages will follow.
    package static let remoteOpen = FrameFlags(rawValue: 2)
    /// There is no message in this frame.
    package static let noData = FrameFlags(rawValue: 4)

    /// The end of a stream, always a frame of its own.
    package static let end: FrameFlags = [.remoteClosed, .noData]
}
