internal import CExecProto
internal import CProtobufC
package import ExecModel

/// What ends a call: the payload of a response frame.
package struct CallResponse: Sendable {
    /// Why the call failed; nil: it went well. A status with code 0 decodes as nil.
    package var status: ExecError?
    /// The answer's message, where the call went well.
    package var payload: [UInt8]

    /// Makes an answer.
    package init(payload: [UInt8] = []) { self.payload = payload }

    /// Makes the answer of a call that has failed. An explicit OK is sent as such.
    package init(failure status: ExecError) {
        self.status = status
        payload = []
    }

    /// The largest message that an answer has room for.
    package static let payloadBytesMax = Frames.payloadBytesMax - 5
}

extension CallResponse: TopMessage {
    typealias Raw = Ttrpc__Response
    package static var wireName: String { "Response" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { ttrpc__response__init }
    static var unpack: Unpack { ttrpc__response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        let told = try Status.optional(raw.pointee.status, "status")?.error
        status = told?.code == .ok ? nil : told
        payload = raw.pointee.payload.bytes
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.status = arena.optional(status.map { Status(error: $0) })
        raw.payload = arena.bytes(payload)
    }
}

/// An error, as a response carries it: without its cause, and with a message of a sane length.
private struct Status: MessageValue {
    var error: ExecError

    typealias Raw = Ttrpc__Status
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { ttrpc__status__init }

    init(error: ExecError) { self.error = error }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        error = ExecError(
            ExecError.Code(rawValue: raw.pointee.code),
            try raw.pointee.message.text("message"),
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.code = error.code.rawValue
        raw.message = arena.text(error.message.prefix(utf8Max: Self.messageBytesMax))
    }

    private static let messageBytesMax = 4096
}

extension String {
    /// The string, or as many of its first characters as `utf8Max` bytes hold.
    fileprivate func prefix(utf8Max: Int) -> String {
        guard utf8.count > utf8Max else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: utf8Max)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
