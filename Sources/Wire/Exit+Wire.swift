internal import CExecProto
internal import ExecModel

extension Exit: MessageValue {
    typealias Raw = Execstream__V1__Exit
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__exit__init }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        // Whatever a server says, a program that ends with this code must not turn a failure into 0.
        self = Exit(
            code: raw.code,
            reason: ExitReason(rawValue: Int32(bitPattern: raw.reason.rawValue)) ?? .unspecified,
            cause: StopCause(rawValue: Int32(bitPattern: raw.cause.rawValue)) ?? .unspecified,
            signal: raw.signal,
            coreDumped: raw.core_dumped != 0,
            message: try raw.message.text("message"),
            lastSequence: raw.last_sequence,
            stdoutBytes: raw.stdout_bytes,
            stderrBytes: raw.stderr_bytes,
            drained: raw.drained != 0,
            holderPIDs: Array(
                UnsafeBufferPointer(start: raw.holder_pids, count: raw.n_holder_pids),
            ),
            startedUnixNS: raw.started_unix_ns,
            finishedUnixNS: raw.finished_unix_ns,
            usage: try Usage.optional(raw.usage, "usage") ?? Usage(),
        ).normalized()
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.code = code
        raw.reason = Execstream__V1__ExitReason(UInt32(bitPattern: reason.rawValue))
        raw.cause = Execstream__V1__StopCause(UInt32(bitPattern: cause.rawValue))
        raw.signal = signal
        raw.core_dumped = coreDumped.raw
        raw.message = arena.text(message)
        raw.last_sequence = lastSequence
        raw.stdout_bytes = stdoutBytes
        raw.stderr_bytes = stderrBytes
        raw.drained = drained.raw
        raw.n_holder_pids = holderPIDs.count
        raw.holder_pids = arena.numbers(holderPIDs)
        raw.started_unix_ns = startedUnixNS
        raw.finished_unix_ns = finishedUnixNS
        raw.usage = arena.message(usage, unless: Usage())
    }
}

extension Usage: MessageValue {
    typealias Raw = Execstream__V1__Usage
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__usage__init }

    init(raw: UnsafePointer<Raw>) {
        self.init(
            userUS: raw.pointee.user_us,
            systemUS: raw.pointee.system_us,
            maxRSSBytes: raw.pointee.max_rss_bytes,
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.user_us = userUS
        raw.system_us = systemUS
        raw.max_rss_bytes = maxRSSBytes
    }
}
