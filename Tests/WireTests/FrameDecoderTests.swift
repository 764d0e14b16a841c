internal import Testing

@testable internal import Wire

/// A frame that a decoder has handed over.
struct Frame: Hashable {
    var header: FrameHeader
    var payload: [UInt8]

    init(_ header: FrameHeader, _ payload: [UInt8]) {
        self.header = header
        self.payload = payload
    }

    /// A frame that is to be sent.
    init(
        _ streamID: UInt32,
        _ type: FrameType = .data,
        _ flags: FrameFlags = [],
        _ payload: [UInt8] = [],
    ) {
        header = FrameHeader(
            length: payload.count,
            streamID: streamID,
            type: type,
            flags: flags,
        )
        self.payload = payload
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        header.append(to: &bytes)
        return bytes + payload
    }
}

extension FrameDecoder {
    /// The frames that come out where these pieces go in, one after the other.
    mutating func feed(_ pieces: [some Collection<UInt8>]) throws(NotFrames) -> [Frame] {
        var frames: [Frame] = []
        for piece in pieces {
            try decode(Array(piece).span.bytes) { header, payload in
                frames.append(Frame(header, payload.withUnsafeBytes { Array($0) }))
            }
        }
        return frames
    }
}

@Suite("Frame decoder")
struct FrameDecoderTests {
    @Test("A bound that changes counts from the next frame on", arguments: [1, 7, 99])
    func changingBound(pieceBytes: Int) throws {
        let small = Frame(1, .request, [], [1, 2, 3])
        let large = Frame(3, .data, [], Array(repeating: 9, count: 10))
        let bytes = (0..<2).flatMap { _ in large.bytes + small.bytes } + large.bytes
        var decoder = FrameDecoder()
        var isKnown = false
        var told: [String] = []
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            try decoder.decode(piece.span.bytes, payloadBytesMax: { isKnown ? 10 : 3 }) {
                header,
                payload in
                told.append("\(header.streamID) \(payload.byteCount) \(header.isOversized)")
                // The second small one makes the peer known.
                isKnown = told.count > 3
            }
        }
        #expect(told == ["3 0 true", "1 3 false", "3 0 true", "1 3 false", "3 10 false"])
    }

    static let frames = [
        Frame(1, .request, [], hex("0a1065786563746573742e76312e45786563")),
        Frame(3, .request, .remoteOpen),
        Frame(0x0102_0304, .data, [], [0]),
        Frame(.max, .data, .end),
        Frame(2, FrameType(rawValue: 0x77), FrameFlags(rawValue: 0xf8), hex("474554202f")),
        Frame(1, .response, [], Array(repeating: 0x16, count: 300)),
    ]
    static let stream = frames.flatMap(\.bytes)

    @Test("All frames in one piece come out in order")
    func onePiece() throws {
        var decoder = FrameDecoder()
        #expect(try decoder.feed([Self.stream]) == Self.frames)
        #expect(!decoder.isMidFrame)
    }

    @Test("Frames come out whole wherever the stream is cut in two")
    func cutInTwo() throws {
        let ends = Self.frames.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.bytes.count) }
        for cut in Self.stream.indices {
            var decoder = FrameDecoder()
            var frames = try decoder.feed([Self.stream[..<cut]])
            #expect(frames.count == ends.lastIndex { $0 <= cut })
            #expect(decoder.isMidFrame == !ends.contains(cut))
            frames += try decoder.feed([Self.stream[cut...]])
            #expect(frames == Self.frames)
            #expect(!decoder.isMidFrame)
        }
    }

    @Test("Frames come out whole where the stream comes byte by byte")
    func byteByByte() throws {
        var decoder = FrameDecoder()
        #expect(try decoder.feed(Self.stream.map { [$0] }) == Self.frames)
    }

    @Test("Frames come out whole in pieces of any size")
    func randomPieces() throws {
        var random = Seeded(newSeed())
        for _ in 0..<300 {
            var decoder = FrameDecoder()
            var rest = Self.stream[...]
            var frames: [Frame] = []
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 0...40, using: &random))
                frames += try decoder.feed([piece])
                rest = rest.dropFirst(piece.count)
            }
            #expect(frames == Self.frames)
        }
    }

    @Test("A frame that lies whole in the bytes is lent where it lies")
    func notCopied() throws {
        let bytes = Self.stream
        try bytes.withUnsafeBytes { buffer in
            var decoder = FrameDecoder()
            try decoder.decode(RawSpan(_unsafeBytes: buffer)) { _, payload in
                payload.withUnsafeBytes { lent in
                    guard let start = lent.baseAddress, let whole = buffer.baseAddress else {
                        return
                    }
                    #expect((whole...whole + buffer.count).contains(start))
                }
            }
        }
    }

    @Test("Nothing goes in, nothing comes out")
    func empty() throws {
        var decoder = FrameDecoder()
        #expect(try decoder.feed([[UInt8]()]).isEmpty)
        #expect(!decoder.isMidFrame)
    }

    @Test("A payload of 4 MiB is a frame; one byte more is not")
    func largest() throws {
        let largest = Frame(1, .data, [], Array(repeating: 7, count: Frames.payloadBytesMax))
        var decoder = FrameDecoder()
        #expect(try decoder.feed([largest.bytes]) == [largest])
        let half = largest.bytes.count / 2
        #expect(
            try decoder.feed([largest.bytes[..<half], largest.bytes[half...]]) == [largest],
        )
        let more = hex("00400001 00000005 03 00")
        let frames = try decoder.feed([more, Array(repeating: 7, count: 0x40_0001)])
        #expect(frames.map(\.header.isOversized) == [true])
        #expect(frames.first?.header.length == 0x40_0001)
    }

    @Test("An oversized payload is skipped, told once after its last byte, and the next is read")
    func oversized() throws {
        let next = Frame(9, .data, [], [1, 2, 3])
        let stream = hex("00000011 00000007 03 01") + Array(repeating: 0xee, count: 17) + next.bytes
        for size in 1...stream.count {
            var decoder = FrameDecoder(payloadBytesMax: 16)
            let pieces = stride(from: 0, to: stream.count, by: size).map {
                stream[$0..<min($0 + size, stream.count)]
            }
            let frames = try decoder.feed(pieces)
            #expect(frames.count == 2)
            let header = try #require(frames.first?.header)
            #expect(header.isOversized)
            #expect(header.length == 17)
            #expect(header.streamID == 7)
            #expect(header.flags == .remoteClosed)
            #expect(frames.first?.payload == [])
            #expect(frames.last == next)
        }
    }

    @Test("A decoder in an oversized payload says that it is in the middle")
    func middleOfOversized() throws {
        var decoder = FrameDecoder(payloadBytesMax: 16)
        _ = try decoder.feed([hex("00000011 00000007 03 00")])
        #expect(decoder.isMidFrame)
        _ = try decoder.feed([Array(repeating: 0, count: 16)])
        #expect(decoder.isMidFrame)
        #expect(try decoder.feed([[0]]).count == 1)
        #expect(!decoder.isMidFrame)
    }

    @Test("The longest length that begins with 0 is skipped without being stored")
    func longest() throws {
        var decoder = FrameDecoder()
        _ = try decoder.feed([hex("00ffffff 00000007 03 00")])
        let piece = [UInt8](repeating: 0xee, count: 0xffff)
        for _ in 0..<256 { #expect(try decoder.feed([piece]).isEmpty) }
        #expect(decoder.gatheredCapacity == 0)
        #expect(try decoder.feed([Array(repeating: 0, count: 255)]).count == 1)
    }

    @Test("A length claims no memory: only what has arrived takes some")
    func claims() throws {
        var decoder = FrameDecoder()
        _ = try decoder.feed([hex("00400000 00000001 03 00")])
        #expect(decoder.gatheredCapacity < 1024)
        _ = try decoder.feed([Array(repeating: 0, count: 10_000)])
        #expect(decoder.gatheredCapacity < 40_000)
    }

    @Test("A large buffer is let go after its frame, a small one kept")
    func release() throws {
        var decoder = FrameDecoder()
        let small = Frame(1, .data, [], Array(repeating: 1, count: 1000)).bytes
        #expect(try decoder.feed([small[..<500], small[500...]]).count == 1)
        #expect((1000...16 * 1024).contains(decoder.gatheredCapacity))
        let large = Frame(1, .data, [], Array(repeating: 1, count: 200_000)).bytes
        #expect(try decoder.feed([large[..<500], large[500...]]).count == 1)
        #expect(decoder.gatheredCapacity == 0)
    }

    @Test("A consumer that throws ends the decoding with its own error")
    func throwing() throws {
        struct Enough: Error, Equatable {}
        var decoder = FrameDecoder()
        var count = 0
        do {
            try decoder.decode(Self.stream.span.bytes) { _, _ throws(Enough) in
                count += 1
                if count == 2 { throw Enough() }
            }
            Issue.record("it did not throw")
        } catch {
            guard case .consumer(Enough()) = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(count == 2)
    }
}

@Suite("Bytes that are not frames")
struct NotFramesTests {
    @Test(
        "A first byte other than 0 is refused at once, and told for what it is",
        arguments: [
            ("GET / HTTP/1.1\r\n", "an HTTP request"),
            ("POST /x HTTP/1.1", "an HTTP request"),
            ("OPTIONS * HTTP/1.1", "an HTTP request"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "an HTTP request"),
            ("\u{16}\u{3}\u{1}\u{2}", "a TLS hello"),
            ("\u{15}\u{3}\u{3}\u{0}", "a TLS alert"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "an SSH greeting"),
            ("GETAWAY", "something else"),
            ("\u{1}\u{0}\u{0}\u{0}", "something else"),
            ("{\"hello\"}", "something else"),
        ],
    )
    func looksLike(_ greeting: String, _ name: String) throws {
        var decoder = FrameDecoder()
        #expect(throws: NotFrames(looksLike: name)) { try decoder.feed([Array(greeting.utf8)]) }
    }

    @Test("Every first byte but 0 is refused, alone and with others behind it")
    func everyByte() {
        for byte in UInt8(1)...255 {
            for rest in [0, 3, 9, 100] {
                var decoder = FrameDecoder()
                let bytes = [byte] + Array(repeating: 0, count: rest)
                #expect(throws: NotFrames.self) { try decoder.feed([bytes]) }
            }
        }
    }

    @Test("The first byte alone is enough to tell")
    func oneByte() {
        for (byte, name) in [
            ("G", "an HTTP request"), ("\u{16}", "a TLS hello"), ("S", "an SSH greeting"),
        ] {
            var decoder = FrameDecoder()
            #expect(throws: NotFrames(looksLike: name)) { try decoder.feed([Array(byte.utf8)]) }
        }
    }

    @Test("It is refused in the place of a later frame as well, after the frames before it")
    func later() {
        var decoder = FrameDecoder()
        var count = 0
        let bytes = Frame(1).bytes + Array("GET / HTTP/1.1".utf8)
        #expect(throws: NotFrames(looksLike: "an HTTP request")) {
            try decoder.decode(bytes.span.bytes) { _, _ in count += 1 }
        }
        #expect(count == 1)
    }
}
