package import ExecModel

/// Whole frames, header and payload, ready to be sent. Each comes in two forms: as an array, and
/// appended to one.
package enum Frames {
    /// The largest payload of a frame, by the protocol.
    package static let payloadBytesMax = 4 * 1024 * 1024

    /// Opens a call. Throws RESOURCE_EXHAUSTED where the request is over the bound.
    package static func request(
        _ request: CallRequest,
        streamID: UInt32,
        flags: FrameFlags = [],
    ) throws(ExecError) -> [UInt8] {
        var frame: [UInt8] = []
        try appendRequest(request, streamID: streamID, flags: flags, to: &frame)
        return frame
    }

    /// Appends what `request` makes.
    package static func appendRequest(
        _ request: CallRequest,
        streamID: UInt32,
        flags: FrameFlags = [],
        to output: inout [UInt8],
    ) throws(ExecError) {
        try append(request, .request, streamID: streamID, flags: flags, to: &output)
    }

    /// One message of a stream. Throws RESOURCE_EXHAUSTED where it is over the bound.
    package static func data(
        _ message: some WireMessage,
        streamID: UInt32,
        flags: FrameFlags = [],
    ) throws(ExecError) -> [UInt8] {
        var frame: [UInt8] = []
        try appendData(message, streamID: streamID, flags: flags, to: &frame)
        return frame
    }

    /// Appends what `data` makes.
    package static func appendData(
        _ message: some WireMessage,
        streamID: UInt32,
        flags: FrameFlags = [],
        to output: inout [UInt8],
    ) throws(ExecError) {
        try append(message, .data, streamID: streamID, flags: flags, to: &output)
    }

    /// The end of a stream, from either side.
    package static func end(streamID: UInt32) -> [UInt8] {
        var frame: [UInt8] = []
        appendEnd(streamID: streamID, to: &frame)
        return frame
    }

    /// Appends what `end` makes.
    package static func appendEnd(streamID: UInt32, to output: inout [UInt8]) {
        FrameHeader(length: 0, streamID: streamID, type: .data, flags: .end).append(to: &output)
    }

    private static func append<Message: WireMessage>(
        _ message: Message,
        _ type: FrameType,
        streamID: UInt32,
        flags: FrameFlags,
        to output: inout [UInt8],
    ) throws(ExecError) {
        try message.withPacked { packed throws(ExecError) in
            guard packed.byteCount <= payloadBytesMax else {
                throw tooLarge(Message.wireName, packed.byteCount)
            }
            FrameHeader(length: packed.byteCount, streamID: streamID, type: type, flags: flags)
                .append(to: &output)
            packed.append(to: &output)
        }
    }

    static func tooLarge(_ name: String, _ byteCount: Int) -> ExecError {
        ExecError(
            .resourceExhausted,
            "\(name) has \(byteCount) bytes; a frame holds at most \(payloadBytesMax)",
        )
    }
}
