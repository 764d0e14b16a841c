internal import ExecModel

@testable internal import Wire

/// Every message that travels by itself; the first byte says which.
///
/// What decodes can be encoded, and is the same after that. Where a message is also read by hand,
/// both readings agree.
enum MessagesTarget {
    static func run(_ input: Input) -> Int32 {
        var input = input
        let kinds = Contract.messages
        guard let first = input.take(1).first, Int(first) < kinds.count else { return -1 }
        kinds[Int(first)].roundTrip(input.rest)
        sessionsAgree(input.rest)
        outputsAgree(input.rest)
        return 0
    }

    /// Stdin is taken without protobuf-c.
    private static func sessionsAgree(_ bytes: UnsafeRawBufferPointer) {
        guard StdinFrame.parse(RawSpan(_unsafeBytes: bytes)) != nil else { return }
        let quick = try? SessionRequest.decode(RawSpan(_unsafeBytes: bytes))
        let slow = try? SessionRequest.decodeAny(RawSpan(_unsafeBytes: bytes))
        check(quick == slow, "stdin is read in two ways")
    }

    /// A client takes output apart without protobuf-c.
    private static func outputsAgree(_ bytes: UnsafeRawBufferPointer) {
        guard let (fields, payload) = OutputMessage.parse(RawSpan(_unsafeBytes: bytes)) else {
            return
        }
        let quick = Output(fields, bytes: Array(bytes[payload]))
        let slow = try? SessionResponse.decodeAny(RawSpan(_unsafeBytes: bytes))
        check(slow == .output(quick), "output is read in two ways")
    }
}

extension WireMessage {
    fileprivate static func roundTrip(_ bytes: UnsafeRawBufferPointer) {
        guard let message = try? decode(RawSpan(_unsafeBytes: bytes)) else { return }
        let encoded = message.encode()
        guard let again = try? decode(encoded.span.bytes) else {
            fatalError("\(wireName) can't be read back")
        }
        check(again.encode() == encoded, "\(wireName) is another when it is read back")
    }
}
