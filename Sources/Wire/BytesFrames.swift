package import ExecModel

// The frames of messages that are bytes and nothing else. The bytes follow the header from
// wherever they lie.

/// The frame of a SessionRequest that is stdin, all but its bytes.
package enum StdinFrame {
    /// Room for any header.
    package static let headerBytesMax = BytesFrame.headerBytesMax
    /// The most bytes that fit into one frame.
    package static let payloadBytesMax = BytesFrame.payloadBytesMax

    /// Writes what stands in front of the bytes; returns how much of `target`, which has
    /// `headerBytesMax` or more, that took.
    package static func writeHeader(
        into target: UnsafeMutableRawBufferPointer,
        streamID: UInt32,
        payloadCount: Int,
    ) -> Int {
        BytesFrame.writeHeader(into: target, streamID, tag: tag, payloadCount)
    }

    /// Finds the bytes in a SessionRequest that is stdin; nil for everything else, which
    /// `SessionRequest.decode` is for.
    package static func parse(_ message: RawSpan) -> Range<Int>? {
        BytesFrame.parse(message, tag: tag)
    }

    private static let tag: UInt8 = 2 << 3 | 2
}

/// The frame of a PublishRequest that is output, all but its bytes.
package enum PublishFrame {
    /// Room for any header.
    package static let headerBytesMax = BytesFrame.headerBytesMax
    /// The most bytes that fit into one frame.
    package static let payloadBytesMax = BytesFrame.payloadBytesMax

    /// Writes what stands in front of the bytes; returns how much of `target`, which has
    /// `headerBytesMax` or more, that took.
    package static func writeHeader(
        into target: UnsafeMutableRawBufferPointer,
        streamID: UInt32,
        stream: ExecStream,
        payloadCount: Int,
    ) -> Int {
        BytesFrame.writeHeader(into: target, streamID, tag: tag(stream), payloadCount)
    }

    /// Finds the bytes in a PublishRequest that is output; nil for everything else, which
    /// `PublishRequest.decode` is for.
    package static func parse(_ message: RawSpan) -> (stream: ExecStream, payload: Range<Int>)? {
        for stream in ExecStream.allCases {
            if let payload = BytesFrame.parse(message, tag: tag(stream)) {
                return (stream, payload)
            }
        }
        return nil
    }

    private static func tag(_ stream: ExecStream) -> UInt8 {
        switch stream {
        case .stdout: 14 << 3 | 2
        case .stderr: 15 << 3 | 2
        }
    }
}

private enum BytesFrame {
    static let headerBytesMax = 16
    static let payloadBytesMax = Frames.payloadBytesMax - headerBytesMax

    static func writeHeader(
        into target: UnsafeMutableRawBufferPointer,
        _ streamID: UInt32,
        tag: UInt8,
        _ payloadCount: Int,
    ) -> Int {
        precondition(target.count >= headerBytesMax, "no room for a header")
        precondition((0...payloadBytesMax).contains(payloadCount), "too many bytes for a frame")
        let length = 1 + Varint.byteCount(UInt64(payloadCount)) + payloadCount
        FrameHeader(length: length, streamID: streamID, type: .data).write(into: target)
        var writer = WireWriter(target, from: FrameHeader.byteCount)
        writer.write(tag: tag, length: payloadCount)
        return writer.count
    }

    static func parse(_ message: RawSpan, tag: UInt8) -> Range<Int>? {
        message.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            guard reader.take(tag: tag), reader.lengthToEnd() else { return nil }
            return reader.offset..<bytes.count
        }
    }
}
