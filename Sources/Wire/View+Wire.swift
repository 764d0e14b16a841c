internal import CExecProto
internal import ExecModel

extension View: MessageValue {
    typealias Raw = Execstream__V1__View
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__view__init }

    init(raw pointer: UnsafePointer<Raw>) {
        let raw = pointer.pointee
        self.init()
        from = From(raw)
        slow = SlowPolicy(rawValue: Int32(bitPattern: raw.slow.rawValue)) ?? .unspecified
        windowBytes = raw.window_bytes
        windowChunks = raw.window_chunks
        readOnly = raw.read_only != 0
        noFollow = raw.no_follow != 0
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        from.fill(&raw)
        raw.slow = Execstream__V1__SlowPolicy(UInt32(bitPattern: slow.rawValue))
        raw.window_bytes = windowBytes
        raw.window_chunks = windowChunks
        raw.read_only = readOnly.raw
        raw.no_follow = noFollow.raw
    }
}

extension View.From {
    fileprivate init(_ raw: Execstream__V1__View) {
        switch raw.from_case {
        case EXECSTREAM__V1__VIEW__FROM_LIVE: self = raw.live != 0 ? .live : .start
        case EXECSTREAM__V1__VIEW__FROM_AFTER_SEQUENCE: self = .after(sequence: raw.after_sequence)
        case EXECSTREAM__V1__VIEW__FROM_TAIL_BYTES: self = .tail(bytes: raw.tail_bytes)
        default: self = .start
        }
    }

    fileprivate func fill(_ raw: inout Execstream__V1__View) {
        switch self {
        case .start:
            break
        case .live:
            raw.from_case = EXECSTREAM__V1__VIEW__FROM_LIVE
            raw.live = 1
        case .after(let sequence):
            raw.from_case = EXECSTREAM__V1__VIEW__FROM_AFTER_SEQUENCE
            raw.after_sequence = sequence
        case .tail(let bytes):
            raw.from_case = EXECSTREAM__V1__VIEW__FROM_TAIL_BYTES
            raw.tail_bytes = bytes
        }
    }
}

extension Gap: MessageValue {
    typealias Raw = Execstream__V1__Gap
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__gap__init }

    init(raw: UnsafePointer<Raw>) {
        self.init(
            firstSequence: raw.pointee.first_sequence,
            lastSequence: raw.pointee.last_sequence,
            stdoutBytes: raw.pointee.stdout_bytes,
            stderrBytes: raw.pointee.stderr_bytes,
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.first_sequence = firstSequence
        raw.last_sequence = lastSequence
        raw.stdout_bytes = stdoutBytes
        raw.stderr_bytes = stderrBytes
    }
}
