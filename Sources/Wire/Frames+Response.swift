package import ExecModel

// The frame that ends a call always exists: an answer that is too large becomes a failure.

extension Frames {
    /// Ends a call with an answer; with RESOURCE_EXHAUSTED where that is over the bound.
    package static func response(_ message: some WireMessage, streamID: UInt32) -> [UInt8] {
        var frame: [UInt8] = []
        appendResponse(message, streamID: streamID, to: &frame)
        return frame
    }

    /// The same for an answer of which some fields are encoded already: `bytes`. The order of fields says
    /// nothing.
    static func response(
        _ message: some WireMessage,
        after bytes: [UInt8],
        streamID: UInt32,
    ) -> [UInt8] {
        var frame: [UInt8] = []
        appendResponse(message, after: bytes, streamID: streamID, to: &frame)
        return frame
    }

    /// Appends what `response` makes.
    package static func appendResponse(
        _ message: some WireMessage,
        streamID: UInt32,
        to output: inout [UInt8],
    ) {
        appendResponse(message, after: [], streamID: streamID, to: &output)
    }

    private static func appendResponse<Message: WireMessage>(
        _ message: Message,
        after bytes: [UInt8],
        streamID: UInt32,
        to output: inout [UInt8],
    ) {
        message.withPacked { packed in
            let byteCount = bytes.count + packed.byteCount
            guard byteCount <= CallResponse.payloadBytesMax else {
                let failure = tooLarge(Message.wireName, byteCount)
                return appendFailure(failure, streamID: streamID, to: &output)
            }
            let prefix = payloadPrefix(byteCount)
            let length = prefix.count + byteCount
            output.reserveCapacity(output.count + FrameHeader.byteCount + length)
            FrameHeader(length: length, streamID: streamID, type: .response).append(to: &output)
            output += prefix
            output += bytes
            packed.append(to: &output)
        }
    }

    /// Ends a call that has failed.
    package static func failure(_ error: ExecError, streamID: UInt32) -> [UInt8] {
        CallResponse(failure: error).encodeFrame(streamID: streamID)
    }

    /// Appends what `failure` makes.
    package static func appendFailure(
        _ error: ExecError,
        streamID: UInt32,
        to output: inout [UInt8],
    ) {
        output += failure(error, streamID: streamID)
    }

    /// What stands in front of a response's payload: its field's tag and length.
    private static func payloadPrefix(_ byteCount: Int) -> [UInt8] {
        guard byteCount > 0 else { return [] }
        return withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            var writer = WireWriter(buffer)
            writer.write(tag: 0x12, length: byteCount)
            return Array(buffer[..<writer.count])
        }
    }
}

extension CallResponse {
    /// The frame that ends the call; where this answer is over the bound, it ends the call with
    /// RESOURCE_EXHAUSTED.
    package func encodeFrame(streamID: UInt32) -> [UInt8] {
        withPacked { packed in
            guard packed.byteCount <= Frames.payloadBytesMax else {
                let failure = Frames.tooLarge("the answer", packed.byteCount)
                return CallResponse(failure: failure).encodeFrame(streamID: streamID)
            }
            var frame: [UInt8] = []
            FrameHeader(length: packed.byteCount, streamID: streamID, type: .response)
                .append(to: &frame)
            packed.append(to: &frame)
            return frame
        }
    }
}
