package import ExecModel

/// The message of one chunk, as a client takes it apart without a copy.
package enum OutputMessage {
    /// What is told of a chunk.
    package struct Fields: Hashable, Sendable {
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
    }

    /// Takes apart a SessionResponse that is an Output and lies as `OutputFrame` lays it out; nil
    /// for everything else, which `SessionResponse.decode` is for.
    package static func parse(_ message: RawSpan) -> (fields: Fields, payload: Range<Int>)? {
        message.withUnsafeBytes { bytes in
            var reader = WireReader(bytes)
            guard reader.take(tag: OutputTag.output), reader.lengthToEnd(),
                let sequence = reader.number(tag: OutputTag.sequence),
                let offset = reader.number(tag: OutputTag.offset),
                let unixNS = reader.number(tag: OutputTag.unixNS),
                let replay = reader.number(tag: OutputTag.replay), replay <= 1,
                let stream = ExecStream.allCases.first(where: {
                    reader.take(tag: OutputTag.data($0))
                }),
                reader.lengthToEnd()
            else { return nil }
            let fields = Fields(
                sequence: sequence,
                offset: offset,
                unixNS: Int64(bitPattern: unixNS),
                replay: replay == 1,
                stream: stream,
            )
            return (fields, reader.offset..<bytes.count)
        }
    }
}
