internal import CProtobufC

/// A message that is ready to be written; valid only within the closure it is lent to.
package struct PackedMessage: ~Copyable {
    /// How many bytes it has on the wire.
    package let byteCount: Int
    private let base: UnsafePointer<ProtobufCMessage>

    init(_ base: UnsafePointer<ProtobufCMessage>) {
        self.base = base
        byteCount = protobuf_c_message_get_packed_size(base)
    }

    /// Appends its bytes to `output`.
    package func append(to output: inout [UInt8]) {
        output.append(addingCapacity: byteCount) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                count = protobuf_c_message_pack(base, buffer.baseAddress)
            }
        }
    }
}
