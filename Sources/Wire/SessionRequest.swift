internal import CExecProto
package import ExecModel

/// What a client sends on a session.
package enum SessionRequest: Hashable, Sendable {
    /// Always first, and once.
    case start(Start)
    /// Bytes for the exec to read.
    case stdin([UInt8])
    /// The terminal has another size now.
    case resize(WindowSize)
    /// No more stdin.
    case closeStdin
    /// A signal for the exec.
    case signal(SignalRequest)
    /// So many more bytes of output, and messages, the client will take.
    case credit(UInt64, chunks: UInt64 = 0)
    /// The client leaves: its stream ends, and nothing else does.
    case detach
}

/// Starts an exec, or joins it where the same one already runs; without a command, attaches.
package struct Start: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String
    /// What to run; nil: attach to an exec that exists.
    package var command: Command?
    /// How this client looks at the exec.
    package var view: View
    /// What becomes of the exec when its clients have gone; nil: as it was.
    package var onDisconnect: OnDisconnect?

    /// Makes a start.
    package init(
        containerID: String,
        execID: String,
        command: Command? = nil,
        view: View = View(),
        onDisconnect: OnDisconnect? = nil,
    ) {
        self.containerID = containerID
        self.execID = execID
        self.command = command
        self.view = view
        self.onDisconnect = onDisconnect
    }
}

extension SessionRequest: TopMessage {
    typealias Raw = Execstream__V1__SessionRequest
    package static var wireName: String { "SessionRequest" }
    static var outermostPlace: String? { nil }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__session_request__init
    }
    static var unpack: Unpack { execstream__v1__session_request__unpack }

    /// As every message; but stdin, which is most of what comes, is taken without protobuf-c.
    package static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> SessionRequest {
        if let payload = StdinFrame.parse(bytes) { return .stdin(bytes.copy(payload)) }
        return try decodeAny(bytes)
    }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        switch raw.msg_case {
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_START:
            self = .start(try Start.required(raw.start, "Start"))
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_STDIN:
            self = .stdin(raw.stdin.bytes)
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_RESIZE:
            self = .resize(try WindowSize.required(raw.resize, "Resize"))
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_CLOSE_STDIN:
            self = .closeStdin
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_SIGNAL:
            self = .signal(try SignalRequest.required(raw.signal, "Signal"))
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_CREDIT:
            let credit = try Credit.required(raw.credit, "Credit")
            self = .credit(credit.bytes, chunks: credit.chunks)
        case EXECSTREAM__V1__SESSION_REQUEST__MSG_DETACH:
            self = .detach
        default:
            throw DecodeFailure(Self.wireName, DecodeFailure.unset)
        }
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        switch self {
        case .start(let start):
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_START
            raw.start = arena.message(start)
        case .stdin(let bytes):
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_STDIN
            raw.stdin = arena.bytes(bytes)
        case .resize(let size):
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_RESIZE
            raw.resize = arena.message(size)
        case .closeStdin:
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_CLOSE_STDIN
            raw.close_stdin = arena.message(CloseStdin())
        case .signal(let signal):
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_SIGNAL
            raw.signal = arena.message(signal)
        case .credit(let bytes, let chunks):
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_CREDIT
            raw.credit = arena.message(Credit(bytes: bytes, chunks: chunks))
        case .detach:
            raw.msg_case = EXECSTREAM__V1__SESSION_REQUEST__MSG_DETACH
            raw.detach = arena.message(Detach())
        }
    }
}

extension Start: MessageValue {
    typealias Raw = Execstream__V1__Start
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__start__init }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        containerID = try raw.container_id.name("container_id")
        execID = try raw.exec_id.name("exec_id")
        command = try Command.optional(raw.command, "command")
        view = try View.optional(raw.view, "view") ?? View()
        onDisconnect = try OnDisconnect.optional(raw.on_disconnect, "on_disconnect")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.command = arena.optional(command)
        raw.view = arena.message(view, unless: View())
        raw.on_disconnect = arena.optional(onDisconnect)
    }
}

/// So many more bytes may be sent, and for output so many more messages.
struct Credit: MessageValue {
    var bytes: UInt64
    var chunks: UInt64 = 0

    typealias Raw = Execstream__V1__Credit
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__credit__init }

    init(bytes: UInt64, chunks: UInt64 = 0) {
        self.bytes = bytes
        self.chunks = chunks
    }

    init(raw: UnsafePointer<Raw>) {
        self.init(bytes: raw.pointee.bytes, chunks: raw.pointee.chunks)
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.bytes = bytes
        raw.chunks = chunks
    }
}

/// The message that says it by being there.
struct CloseStdin: MessageValue {
    typealias Raw = Execstream__V1__CloseStdin
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__close_stdin__init
    }

    init() {}

    init(raw: UnsafePointer<Raw>) {}

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {}
}

/// The message that says it by being there.
struct Detach: MessageValue {
    typealias Raw = Execstream__V1__Detach
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__detach__init }

    init() {}

    init(raw: UnsafePointer<Raw>) {}

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {}
}
