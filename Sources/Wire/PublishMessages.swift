internal import CExecProto
package import ExecModel

/// What a publisher sends.
package enum PublishRequest: Hashable, Sendable {
    /// Always first.
    case register(Register)
    /// What the exec wrote to stdout.
    case stdout([UInt8])
    /// What the exec wrote to stderr.
    case stderr([UInt8])
    /// How the exec ended: always last.
    case exit(PublishedExit)
}

/// Names the exec that a publisher feeds in.
package struct Register: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String
    /// For finding it again.
    package var labels: [String: String]

    /// Makes a registration.
    package init(containerID: String, execID: String, labels: [String: String] = [:]) {
        self.containerID = containerID
        self.execID = execID
        self.labels = labels
    }
}

/// How an exec ended, as its publisher tells it.
package struct PublishedExit: Hashable, Sendable {
    /// What it returned.
    package var code: Int32
    /// The signal that killed it; 0: none did.
    package var signal: Int32
    /// For people, where there is something to say.
    package var message: String

    /// Makes an exit.
    package init(code: Int32, signal: Int32 = 0, message: String = "") {
        self.code = code
        self.signal = signal
        self.message = message
    }
}

/// What a publisher is told in the end: the exit, as everybody sees it.
package struct PublishResponse: Hashable, Sendable {
    /// The exit.
    package var exit: Exit

    /// Makes an answer.
    package init(exit: Exit) { self.exit = exit }
}

extension PublishRequest: TopMessage {
    typealias Raw = Execstream__V1__PublishRequest
    package static var wireName: String { "PublishRequest" }
    static var outermostPlace: String? { nil }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__publish_request__init
    }
    static var unpack: Unpack { execstream__v1__publish_request__unpack }

    /// As every message; but output, which is most of what comes, is taken without protobuf-c.
    package static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> PublishRequest {
        switch PublishFrame.parse(bytes) {
        case (.stdout, let payload)?: .stdout(bytes.copy(payload))
        case (.stderr, let payload)?: .stderr(bytes.copy(payload))
        case nil: try decodeAny(bytes)
        }
    }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        switch raw.msg_case {
        case EXECSTREAM__V1__PUBLISH_REQUEST__MSG_REGISTER:
            self = .register(try Register.required(raw.register_, "Register"))
        case EXECSTREAM__V1__PUBLISH_REQUEST__MSG_STDOUT:
            self = .stdout(raw.stdout.bytes)
        case EXECSTREAM__V1__PUBLISH_REQUEST__MSG_STDERR:
            self = .stderr(raw.stderr.bytes)
        case EXECSTREAM__V1__PUBLISH_REQUEST__MSG_EXIT:
            self = .exit(try PublishedExit.required(raw.exit, "PublishedExit"))
        default:
            throw DecodeFailure(Self.wireName, DecodeFailure.unset)
        }
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        switch self {
        case .register(let register):
            raw.msg_case = EXECSTREAM__V1__PUBLISH_REQUEST__MSG_REGISTER
            raw.register_ = arena.message(register)
        case .stdout(let bytes):
            raw.msg_case = EXECSTREAM__V1__PUBLISH_REQUEST__MSG_STDOUT
            raw.stdout = arena.bytes(bytes)
        case .stderr(let bytes):
            raw.msg_case = EXECSTREAM__V1__PUBLISH_REQUEST__MSG_STDERR
            raw.stderr = arena.bytes(bytes)
        case .exit(let exit):
            raw.msg_case = EXECSTREAM__V1__PUBLISH_REQUEST__MSG_EXIT
            raw.exit = arena.message(exit)
        }
    }
}

extension Register: MessageValue {
    typealias Raw = Execstream__V1__Register
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__register__init }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        execID = try raw.pointee.exec_id.name("exec_id")
        labels = try map(
            raw.pointee.n_labels,
            raw.pointee.labels,
            "labels",
            max: Command.labelsMax,
            comparesValues: true
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.n_labels = labels.count
        raw.labels = arena.map(labels)
    }
}

extension PublishedExit: MessageValue {
    typealias Raw = Execstream__V1__PublishedExit
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__published_exit__init
    }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        code = raw.pointee.code
        signal = raw.pointee.signal
        message = try raw.pointee.message.text("message")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.code = code
        raw.signal = signal
        raw.message = arena.text(message)
    }
}

extension PublishResponse: TopMessage {
    typealias Raw = Execstream__V1__PublishResponse
    package static var wireName: String { "PublishResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__publish_response__init
    }
    static var unpack: Unpack { execstream__v1__publish_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        exit = try Exit.required(raw.pointee.exit, "exit")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.exit = arena.message(exit)
    }
}
