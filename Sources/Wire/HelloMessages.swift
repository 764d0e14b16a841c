internal import CExecProto

/// What a client says first: who it is, and what lets it in.
package struct HelloRequest: Hashable, Sendable {
    /// "name/version", for logs.
    package var client: String
    /// What lets it in; may be empty where the socket itself does.
    package var token: String

    /// Makes a greeting.
    package init(client: String, token: String = "") {
        self.client = client
        self.token = token
    }
}

/// What this server is and can do.
package struct HelloResponse: Hashable, Sendable {
    /// "execstream/1.2.3".
    package var server: String
    /// The contract's version.
    package var protocolVersion: UInt32
    /// What it can do: "process", "tty", "publish", …
    package var features: [String]
    /// The largest payload of an Output that it sends.
    package var chunkBytesMax: UInt32

    /// Makes an answer.
    package init(
        server: String,
        protocolVersion: UInt32,
        features: [String],
        chunkBytesMax: UInt32,
    ) {
        self.server = server
        self.protocolVersion = protocolVersion
        self.features = features
        self.chunkBytesMax = chunkBytesMax
    }
}

extension HelloRequest: TopMessage {
    typealias Raw = Execstream__V1__HelloRequest
    package static var wireName: String { "HelloRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__hello_request__init
    }
    static var unpack: Unpack { execstream__v1__hello_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        client = try raw.pointee.client.text("client")
        token = try raw.pointee.token.name("token")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.client = arena.text(client)
        raw.token = arena.text(token)
    }
}

extension HelloResponse: TopMessage {
    typealias Raw = Execstream__V1__HelloResponse
    package static var wireName: String { "HelloResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__hello_response__init
    }
    static var unpack: Unpack { execstream__v1__hello_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        server = try raw.pointee.server.text("server")
        protocolVersion = raw.pointee.protocol
        features = try texts(raw.pointee.n_features, raw.pointee.features, "features")
        chunkBytesMax = raw.pointee.chunk_bytes_max
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.server = arena.text(server)
        raw.protocol = protocolVersion
        raw.n_features = features.count
        raw.features = arena.texts(features)
        raw.chunk_bytes_max = chunkBytesMax
    }
}
