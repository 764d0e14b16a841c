/// A message of the contract, as a value.
package protocol WireMessage: Sendable {
    /// Its name in the contract, for what people are told of it.
    static var wireName: String { get }

    /// Reads one message; unknown fields are ignored, and an unknown enum value is `unspecified`.
    static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> Self

    /// Lends the message as it will be on the wire, its size known and its bytes not yet written.
    func withPacked<Result, Failure: Error>(
        _ body: (borrowing PackedMessage) throws(Failure) -> Result,
    ) throws(Failure) -> Result
}

extension WireMessage {
    /// The message's bytes. Equal messages have equal bytes.
    package func encode() -> [UInt8] {
        withPacked { packed in
            var bytes: [UInt8] = []
            packed.append(to: &bytes)
            return bytes
        }
    }
}
