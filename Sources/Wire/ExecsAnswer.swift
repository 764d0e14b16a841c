internal import CProtobufC
package import ExecModel

/// The execs of an answer, encoded one by one, so that an answer with many of them can be made a part at a
/// time. Bounded by what an answer has room for.
package struct ExecsAnswer {
    private var bytes: [UInt8] = []
    private let tag: UInt8
    private let bytesMax: Int
    /// Whether an exec had no room.
    package private(set) var isFull = false

    /// For an ExecListResponse.
    package static func list(bytesMax: Int = CallResponse.payloadBytesMax) -> ExecsAnswer {
        ExecsAnswer(tag: 1 << 3 | 2, bytesMax: bytesMax - truncatedByteCount)
    }

    /// For a ContainerStatusResponse.
    package static func status() -> ExecsAnswer {
        ExecsAnswer(tag: 3 << 3 | 2, bytesMax: CallResponse.payloadBytesMax)
    }

    /// What `truncated` takes on the wire.
    private static let truncatedByteCount = 2

    private init(tag: UInt8, bytesMax: Int) {
        self.tag = tag
        self.bytesMax = bytesMax
    }

    /// What has been added so far.
    package var byteCount: Int { bytes.count }

    /// Adds an exec; where it has no room the answer is full, and nothing more is added to it.
    package mutating func append(_ exec: ExecInfo) {
        guard !isFull else { return }
        MessageArena.with { arena in
            let packed = PackedMessage(
                UnsafeRawPointer(arena.message(exec))
                    .assumingMemoryBound(to: ProtobufCMessage.self)
            )
            let prefixCount = 1 + Varint.byteCount(UInt64(packed.byteCount))
            guard bytes.count + prefixCount + packed.byteCount <= bytesMax else {
                isFull = true
                return
            }
            bytes.append(addingCapacity: prefixCount) { span in
                span.append(tag)
                var rest = packed.byteCount
                while rest >= 0x80 {
                    span.append(UInt8(rest & 0x7f) | 0x80)
                    rest >>= 7
                }
                span.append(UInt8(rest))
            }
            packed.append(to: &bytes)
        }
    }

    /// The frame that ends the call; `rest` has the answer's other fields, and no execs. Where all of it
    /// is over the bound, the call ends with RESOURCE_EXHAUSTED.
    package func response(_ rest: some WireMessage, streamID: UInt32) -> [UInt8] {
        Frames.response(rest, after: bytes, streamID: streamID)
    }
}
