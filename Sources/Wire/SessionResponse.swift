internal import CExecProto
package import ExecModel

/// What a server sends on a session.
package enum SessionResponse: Hashable, Sendable {
    /// Always first.
    case ready(Ready)
    /// A chunk.
    case output(Output)
    /// Chunks this client will not get.
    case gap(Gap)
    /// The process has ended; its pipes are being drained.
    case ended(Ended)
    /// How it ended: always last.
    case exit(Exit)
    /// So many more bytes of stdin the server will take.
    case stdinCredit(UInt64)
    /// The exec is doing something else now.
    case state(ExecState, unixNS: Int64)
    /// Somebody resized the terminal.
    case resized(WindowSize)
}

/// The exec is there, and this client views it.
package struct Ready: Hashable, Sendable {
    /// The exec, as it is now.
    package var info: ExecInfo
    /// It existed already.
    package var joined: Bool
    /// The oldest chunk that can be replayed; 0: none yet.
    package var firstSequence: UInt64
    /// The newest chunk now; 0: none yet.
    package var lastSequence: UInt64
    /// Bytes of stdin the server will take at once.
    package var stdinCredit: UInt64

    /// Makes a ready.
    package init(
        info: ExecInfo,
        joined: Bool = false,
        firstSequence: UInt64 = 0,
        lastSequence: UInt64 = 0,
        stdinCredit: UInt64 = 0,
    ) {
        self.info = info
        self.joined = joined
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.stdinCredit = stdinCredit
    }
}

extension SessionResponse: TopMessage {
    typealias Raw = Execstream__V1__SessionResponse
    package static var wireName: String { "SessionResponse" }
    static var outermostPlace: String? { nil }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__session_response__init
    }
    static var unpack: Unpack { execstream__v1__session_response__unpack }

    /// As every message; but output, which is most of what comes, is taken without protobuf-c.
    package static func decode(_ bytes: RawSpan) throws(DecodeFailure) -> SessionResponse {
        if let (fields, payload) = OutputMessage.parse(bytes) {
            return .output(Output(fields, bytes: bytes.copy(payload)))
        }
        return try decodeAny(bytes)
    }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        switch raw.msg_case {
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_READY:
            self = .ready(try Ready.required(raw.ready, "Ready"))
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_OUTPUT:
            self = .output(try Output.required(raw.output, "Output"))
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_GAP:
            self = .gap(try Gap.required(raw.gap, "Gap"))
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_ENDED:
            self = .ended(try Ended.required(raw.ended, "Ended"))
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_EXIT:
            self = .exit(try Exit.required(raw.exit, "Exit"))
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_STDIN_CREDIT:
            self = .stdinCredit(try Credit.required(raw.stdin_credit, "Credit").bytes)
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_STATE:
            let change = try StateChange.required(raw.state, "StateChange")
            self = .state(change.state, unixNS: change.unixNS)
        case EXECSTREAM__V1__SESSION_RESPONSE__MSG_RESIZED:
            self = .resized(try WindowSize.required(raw.resized, "Resize"))
        default:
            throw DecodeFailure(Self.wireName, DecodeFailure.unset)
        }
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        switch self {
        case .ready(let ready):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_READY
            raw.ready = arena.message(ready)
        case .output(let output):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_OUTPUT
            raw.output = arena.message(output)
        case .gap(let gap):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_GAP
            raw.gap = arena.message(gap)
        case .ended(let ended):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_ENDED
            raw.ended = arena.message(ended)
        case .exit(let exit):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_EXIT
            raw.exit = arena.message(exit)
        case .stdinCredit(let bytes):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_STDIN_CREDIT
            raw.stdin_credit = arena.message(Credit(bytes: bytes))
        case .state(let state, let unixNS):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_STATE
            raw.state = arena.message(StateChange(state: state, unixNS: unixNS))
        case .resized(let size):
            raw.msg_case = EXECSTREAM__V1__SESSION_RESPONSE__MSG_RESIZED
            raw.resized = arena.message(size)
        }
    }
}

extension Ready: MessageValue {
    typealias Raw = Execstream__V1__Ready
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__ready__init }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        info = try ExecInfo.required(raw.pointee.info, "info")
        joined = raw.pointee.joined != 0
        firstSequence = raw.pointee.first_sequence
        lastSequence = raw.pointee.last_sequence
        stdinCredit = raw.pointee.stdin_credit
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.info = arena.message(info)
        raw.joined = joined.raw
        raw.first_sequence = firstSequence
        raw.last_sequence = lastSequence
        raw.stdin_credit = stdinCredit
    }
}

extension Ended: MessageValue {
    typealias Raw = Execstream__V1__Ended
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__ended__init }

    init(raw: UnsafePointer<Raw>) {
        self = Ended(
            code: raw.pointee.code,
            signal: raw.pointee.signal,
            unixNS: raw.pointee.unix_ns
        ).normalized()
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.code = code
        raw.signal = signal
        raw.unix_ns = unixNS
    }
}

/// The exec is doing something else now.
struct StateChange: MessageValue {
    var state: ExecState
    var unixNS: Int64

    typealias Raw = Execstream__V1__StateChange
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__state_change__init
    }

    init(state: ExecState, unixNS: Int64) {
        self.state = state
        self.unixNS = unixNS
    }

    init(raw: UnsafePointer<Raw>) {
        self.init(state: ExecState(raw.pointee.state), unixNS: raw.pointee.unix_ns)
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.state = state.raw
        raw.unix_ns = unixNS
    }
}
