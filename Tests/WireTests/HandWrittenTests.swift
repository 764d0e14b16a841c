internal import ExecModel
internal import Testing

@testable internal import Wire

/// What is written and read by hand must be what protobuf-c writes and reads.
@Suite("Written by hand")
struct HandWrittenTests {
    static let edges: [UInt64] = {
        var edges: [UInt64] = [0, 1, .max]
        for bits in stride(from: UInt64(7), through: 63, by: 7) {
            edges += [(1 << bits) - 1, 1 << bits]
        }
        return edges
    }()
    static let payloadCounts = [0, 1, 2, 100, 127, 128, 129, 16_383, 16_384, 65_536]

    static func header(_ output: Output, payloadCount: Int) -> [UInt8] {
        withUnsafeTemporaryAllocation(byteCount: OutputFrame.headerBytesMax, alignment: 1) {
            let count = OutputFrame.writeHeader(
                into: $0,
                streamID: 0x0102_0304,
                sequence: output.sequence,
                offset: output.offset,
                unixNS: output.unixNS,
                replay: output.replay,
                stream: output.stream,
                payloadCount: payloadCount,
            )
            return Array($0[..<count])
        }
    }

    static func expectSame(_ output: Output) throws {
        let packed = try Frames.data(SessionResponse.output(output), streamID: 0x0102_0304)
        let written = header(output, payloadCount: output.bytes.count) + output.bytes
        #expect(written == packed)
        let message = Array(packed.dropFirst(FrameHeader.byteCount))
        let (fields, payload) = try #require(OutputMessage.parse(bytes: message))
        #expect(Output(fields, bytes: Array(message[payload])) == output)
        #expect(try SessionResponse.decodeAny(bytes: message) == .output(output))
    }

    @Test("A chunk's frame has protobuf-c's bytes, whatever its numbers")
    func numbers() throws {
        for number in Self.edges {
            for stream in ExecStream.allCases {
                for replay in [false, true] {
                    for (sequence, offset, unixNS) in [
                        (number, 0, 0), (0, number, 0), (0, 0, number), (number, number, number),
                        (1, 2, 3),
                    ] {
                        try Self.expectSame(
                            Output(
                                sequence: sequence,
                                offset: offset,
                                unixNS: Int64(bitPattern: unixNS),
                                replay: replay,
                                stream: stream,
                                bytes: [0, 0xff],
                            ),
                        )
                    }
                }
            }
        }
    }

    @Test("A chunk's frame has protobuf-c's bytes, whatever its size")
    func sizes() throws {
        var counts = Self.payloadCounts + [2 << 20, OutputFrame.payloadBytesMax]
        // The sizes around which the length of the message around the bytes gets longer.
        counts += Array(80...140) + Array(16_340...16_390) + Array(2_097_100...2_097_155)
        for count in counts {
            for (sequence, unixNS) in [(UInt64(0), Int64(0)), (.max, .min), (1, 2)] {
                try Self.expectSame(
                    Output(
                        sequence: sequence,
                        offset: sequence,
                        unixNS: unixNS,
                        replay: true,
                        stream: .stderr,
                        bytes: Array(repeating: 0x61, count: count),
                    ),
                )
            }
        }
    }

    @Test("The longest header and the largest chunk fit their bounds")
    func bounds() {
        let output = Output(
            sequence: .max,
            offset: .max,
            unixNS: .min,
            replay: true,
            stream: .stderr,
            bytes: [],
        )
        let header = Self.header(output, payloadCount: OutputFrame.payloadBytesMax)
        #expect(header.count <= OutputFrame.headerBytesMax)
        let payload = header.count - FrameHeader.byteCount + OutputFrame.payloadBytesMax
        #expect(payload <= Frames.payloadBytesMax)
    }

    @Test("A chunk that is too large for a frame, and room that is too small for a header, trap")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) {
                _ = StdinFrame.writeHeader(
                    into: $0,
                    streamID: 1,
                    payloadCount: StdinFrame.payloadBytesMax + 1,
                )
            }
        }
        await #expect(processExitsWith: .failure) {
            withUnsafeTemporaryAllocation(byteCount: 63, alignment: 1) {
                _ = OutputFrame.writeHeader(
                    into: $0,
                    streamID: 1,
                    sequence: 1,
                    offset: 0,
                    unixNS: 0,
                    replay: false,
                    stream: .stdout,
                    payloadCount: 1,
                )
            }
        }
    }

    @Test("Stdin's frame has protobuf-c's bytes, whatever its size")
    func stdin() throws {
        for count in Self.payloadCounts + [2 << 20, StdinFrame.payloadBytesMax] {
            let bytes = [UInt8](repeating: 0x62, count: count)
            let packed = try Frames.data(SessionRequest.stdin(bytes), streamID: 7)
            let written = withUnsafeTemporaryAllocation(
                byteCount: StdinFrame.headerBytesMax,
                alignment: 1,
            ) {
                let used = StdinFrame.writeHeader(into: $0, streamID: 7, payloadCount: count)
                return Array($0[..<used])
            }
            #expect(written + bytes == packed)
            let message = Array(packed.dropFirst(FrameHeader.byteCount))
            let found = StdinFrame.parse(message.span.bytes)
            #expect(found?.count == count)
            #expect(try SessionRequest.decode(bytes: message) == .stdin(bytes))
            #expect(try SessionRequest.decodeAny(bytes: message) == .stdin(bytes))
        }
    }

    @Test("A publisher's frames have protobuf-c's bytes, whatever their size")
    func publish() throws {
        for count in Self.payloadCounts + [2 << 20, PublishFrame.payloadBytesMax] {
            for stream in ExecStream.allCases {
                let bytes = [UInt8](repeating: 0x63, count: count)
                let request: PublishRequest =
                    stream == .stdout ? .stdout(bytes) : .stderr(bytes)
                let packed = try Frames.data(request, streamID: 7)
                let written = withUnsafeTemporaryAllocation(
                    byteCount: PublishFrame.headerBytesMax,
                    alignment: 1,
                ) {
                    let used = PublishFrame.writeHeader(
                        into: $0,
                        streamID: 7,
                        stream: stream,
                        payloadCount: count,
                    )
                    return Array($0[..<used])
                }
                #expect(written + bytes == packed)
                let message = Array(packed.dropFirst(FrameHeader.byteCount))
                let found = PublishFrame.parse(message.span.bytes)
                #expect(found?.stream == stream)
                #expect(found?.payload.count == count)
                #expect(try PublishRequest.decode(bytes: message) == request)
                #expect(try PublishRequest.decodeAny(bytes: message) == request)
            }
        }
    }

    @Test("A chunk's message in any other form is left to protobuf-c")
    func otherForms() throws {
        let forms = [
            "": "nothing",
            "0a00": "a ready",
            "1200": "no data",
            "1202 0801": "a number and no data",
            "1204 0800 7200": "a zero that need not be there",
            "1205 088100 7200": "a number that is longer than it must be",
            "1204 2002 7200": "a boolean that is neither",
            "1204 7200 0801": "a number behind the data",
            "1206 1002 0801 7200": "numbers in another order",
            "1206 0801 0802 7200": "a number twice",
            "1206 0801 7200 7a00": "data twice",
            "1202 7200 1202 7200": "an output twice",
            "1202 7200 3a00": "another message behind it",
            "820000 7200": "a length that is longer than it must be",
            "128200 7200": "a length that is longer than it must be",
            "1206 a00601 7200": "an unknown field",
            "1203 720201": "a length that is too long for the data",
            "1201 7200": "a length that is too short for the output",
            "1203 7200": "a length that is too long for the output",
            "12ffffffffffffffffff01 7200": "a length out of this world",
            "12ffffffffffffffffff7f 7200": "a length of more than 64 bits",
            "120d 08ffffffffffffffffffff 7200": "a number of more than ten bytes",
        ]
        for (form, what) in forms {
            #expect(OutputMessage.parse(bytes: hex(form)) == nil, "\(what)")
        }
        #expect(OutputMessage.parse(bytes: hex("1202 7200")) != nil)
        let zero = hex("1204 0800 7a00")
        let output = Output(
            sequence: 0,
            offset: 0,
            unixNS: 0,
            replay: false,
            stream: .stderr,
            bytes: [],
        )
        #expect(try SessionResponse.decode(bytes: zero) == .output(output))
    }

    @Test("What the hand-written parsers accept is what would have been written, to the byte")
    func acceptedIsCanonical() throws {
        var random = Seeded(newSeed())
        let memory = try GuardedMemory(capacity: 256)
        let seeds: [[UInt8]] = [1, 1 << 40].map { number in
            SessionResponse.output(
                Output(
                    sequence: number,
                    offset: number,
                    unixNS: -1,
                    replay: true,
                    stream: .stderr,
                    bytes: [1, 2, 3],
                ),
            ).encode()
        }
        var accepted = 0
        for round in 0..<50_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8(
                    truncatingIfNeeded: random.next(),
                )
            }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            if round % 3 == 0 { bytes.removeLast(cut) }
            let output: Output? = memory.with(bytes) { span in
                OutputMessage.parse(span).map { Output($0.fields, bytes: span.copy($0.payload)) }
            }
            guard let output else { continue }
            accepted += 1
            #expect(SessionResponse.output(output).encode() == bytes)
        }
        #expect(accepted > 1000)
    }

    @Test("Parsers read nothing outside a message that is cut short")
    func cuts() throws {
        let memory = try GuardedMemory(capacity: 256)
        for sample in Samples.all {
            for end in 0..<sample.vector.count where end <= 256 {
                memory.with(sample.vector[..<end]) { span in
                    _ = OutputMessage.parse(span)
                    _ = StdinFrame.parse(span)
                    _ = PublishFrame.parse(span)
                }
            }
        }
    }

    @Test("A number's size is that of its bytes")
    func varints() {
        for number in Self.edges {
            withUnsafeTemporaryAllocation(byteCount: Varint.byteCountMax, alignment: 1) { buffer in
                var writer = WireWriter(buffer)
                writer.write(varint: number)
                #expect(writer.count == Varint.byteCount(number))
                var reader = WireReader(UnsafeRawBufferPointer(rebasing: buffer[..<writer.count]))
                #expect(reader.varint() == number)
                #expect(reader.rest == 0)
                for end in 0..<writer.count {
                    var cut = WireReader(UnsafeRawBufferPointer(rebasing: buffer[..<end]))
                    #expect(cut.varint() == nil)
                }
            }
        }
    }
}
