internal import CExecProto
internal import CProtobufC

/// What opens a call: the payload of a request frame.
package struct CallRequest: Sendable {
    /// The service, with its package: "execstream.v1.Exec".
    package var service: String
    /// The method: "Session".
    package var method: String
    /// The call's one message, or the first of its stream; a stream's may be empty.
    package var payload: [UInt8]
    /// Bounds a unary call, in nanoseconds; 0 or less: no bound.
    package var timeoutNano: Int64
    /// What goes with the call; a key may come more than once.
    package var metadata: [(key: String, value: String)]

    /// Makes a request.
    package init(
        service: String = ServiceName.exec,
        method: String,
        payload: [UInt8] = [],
        timeoutNano: Int64 = 0,
        metadata: [(key: String, value: String)] = [],
    ) {
        self.service = service
        self.method = method
        self.payload = payload
        self.timeoutNano = timeoutNano
        self.metadata = metadata
    }

    /// The first value of `key` in the metadata.
    package func metadata(_ key: String) -> String? { metadata.first { $0.key == key }?.value }
}

extension CallRequest: TopMessage {
    typealias Raw = Ttrpc__Request
    package static var wireName: String { "Request" }

    /// The fields are counted before protobuf-c reads them: an empty entry of the metadata has two bytes,
    /// and costs hundreds of times that once it is an entry here.
    package static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> CallRequest {
        try bytes.withUnsafeBytes { buffer throws(DecodeFailure) in
            var bounds = RequestBounds(buffer)
            try bounds.check()
        }
        return try decodeAny(bytes)
    }

    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { ttrpc__request__init }
    static var unpack: Unpack { ttrpc__request__unpack }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        service = try raw.service.name("service")
        method = try raw.method.name("method")
        payload = raw.payload.bytes
        timeoutNano = raw.timeout_nano
        metadata = try KeyValue.list(raw.n_metadata, raw.metadata, "metadata").map {
            (key: $0.key, value: $0.value)
        }
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.service = arena.text(service)
        raw.method = arena.text(method)
        raw.payload = arena.bytes(payload)
        raw.timeout_nano = timeoutNano
        raw.n_metadata = metadata.count
        raw.metadata = arena.list(metadata.map { KeyValue(key: $0.key, value: $0.value) })
    }
}

/// One entry of a request's metadata.
private struct KeyValue: MessageValue {
    var key: String
    var value: String

    typealias Raw = Ttrpc__KeyValue
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { ttrpc__key_value__init }

    init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        key = try raw.pointee.key.name("key")
        value = try raw.pointee.value.name("value")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.key = arena.text(key)
        raw.value = arena.text(value)
    }
}
