internal import CExecProto
package import ExecModel

/// One chunk, as it travels.
package struct Output: Hashable, Sendable {
    /// Its number, from 1, across both streams.
    package var sequence: UInt64
    /// Of its first byte, in its own stream.
    package var offset: UInt64
    /// When it was read from the exec, in nanoseconds of the Unix clock.
    package var unixNS: Int64
    /// It was logged before this client attached.
    package var replay: Bool
    /// Where the exec wrote it.
    package var stream: ExecStream
    /// What the exec wrote.
    package var bytes: [UInt8]

    /// Makes a chunk.
    package init(
        sequence: UInt64,
        offset: UInt64,
        unixNS: Int64,
        replay: Bool,
        stream: ExecStream,
        bytes: [UInt8],
    ) {
        self.sequence = sequence
        self.offset = offset
        self.unixNS = unixNS
        self.replay = replay
        self.stream = stream
        self.bytes = bytes
    }

    /// Puts together what `OutputMessage.parse` has found.
    package init(_ fields: OutputMessage.Fields, bytes: [UInt8]) {
        self.init(
            sequence: fields.sequence,
            offset: fields.offset,
            unixNS: fields.unixNS,
            replay: fields.replay,
            stream: fields.stream,
            bytes: bytes,
        )
    }
}

extension Output: MessageValue {
    typealias Raw = Execstream__V1__Output
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__output__init }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        switch raw.data_case {
        case EXECSTREAM__V1__OUTPUT__DATA_STDOUT:
            stream = .stdout
            bytes = raw.stdout.bytes
        case EXECSTREAM__V1__OUTPUT__DATA_STDERR:
            stream = .stderr
            bytes = raw.stderr.bytes
        default:
            throw DecodeFailure("data", "is missing")
        }
        sequence = raw.sequence
        offset = raw.offset
        unixNS = raw.unix_ns
        replay = raw.replay != 0
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.sequence = sequence
        raw.offset = offset
        raw.unix_ns = unixNS
        raw.replay = replay.raw
        switch stream {
        case .stdout:
            raw.data_case = EXECSTREAM__V1__OUTPUT__DATA_STDOUT
            raw.stdout = arena.bytes(bytes)
        case .stderr:
            raw.data_case = EXECSTREAM__V1__OUTPUT__DATA_STDERR
            raw.stderr = arena.bytes(bytes)
        }
    }
}
