internal import ExecModel
internal import Testing

@testable internal import Wire

@Suite("Frames recorded from Go")
struct GoldenTests {
    /// A case's frames in one direction, and in both.
    static func frames(_ name: String, _ direction: String? = nil) -> [[UInt8]] {
        let lines = goldenFrames.first { $0.name == name }?.frames.split(separator: "\n") ?? []
        var frames: [String] = []
        for line in lines {
            if line.first == " " {
                frames[frames.count - 1] += line
            } else {
                frames.append(String(line))
            }
        }
        return frames.filter { direction.map($0.hasPrefix) ?? true }.map {
            hex(String($0.dropFirst(3)))
        }
    }

    @Test("Each direction is cut into its frames", arguments: goldenFrames.map(\.name))
    func cutIntoFrames(_ name: String) throws {
        for direction in ["c2s", "s2c"] {
            let recorded = Self.frames(name, direction)
            let stream = Array(recorded.joined())
            var whole = FrameDecoder()
            #expect(try whole.feed([stream]).map(\.bytes) == recorded)
            var byteByByte = FrameDecoder()
            #expect(try byteByByte.feed(stream.map { [$0] }).map(\.bytes) == recorded)
        }
    }

    @Test(
        "A request or response encodes to the bytes it was decoded from",
        arguments: goldenFrames.map(\.name)
    )
    func envelopes(_ name: String) throws {
        for recorded in Self.frames(name) {
            var decoder = FrameDecoder()
            let frame = try #require(try decoder.feed([recorded]).first)
            let header = frame.header
            switch header.type {
            case .request:
                let request = try CallRequest.decode(bytes: frame.payload)
                let again = try Frames.request(
                    request,
                    streamID: header.streamID,
                    flags: header.flags,
                )
                #expect(again == recorded)
            case .response:
                let response = try CallResponse.decode(bytes: frame.payload)
                #expect(response.encodeFrame(streamID: header.streamID) == recorded)
            default:
                #expect(header.type == .data)
                if header.flags.contains(.end) {
                    #expect(Frames.end(streamID: header.streamID) == recorded)
                }
            }
        }
    }

    @Test("A request holds what the recorder says", arguments: goldenRequests.keys.sorted())
    func requests(_ name: String) throws {
        let told = try #require(goldenRequests[name])
        let payload = try #require(Self.frames(name, "c2s").first).dropFirst(FrameHeader.byteCount)
        let request = try CallRequest.decode(bytes: Array(payload))
        #expect(request.service == told.service)
        #expect(request.method == told.method)
        #expect(request.payload == hex(told.payload))
        #expect(request.timeoutNano == told.timeoutNano)
        #expect(request.metadata.map { "\($0.key): \($0.value)" } == told.metadata)
        #expect(request.metadata("authorization") == request.metadata.first?.value)
    }

    @Test("A response holds what the recorder says", arguments: goldenResponses.keys.sorted())
    func responses(_ name: String) throws {
        let told = try #require(goldenResponses[name])
        let payload = try #require(Self.frames(name, "s2c").last { $0[8] == 2 })
            .dropFirst(FrameHeader.byteCount)
        let response = try CallResponse.decode(bytes: Array(payload))
        #expect(response.status?.code.rawValue ?? 0 == told.code)
        #expect(response.status?.message ?? "" == told.message)
        #expect(response.payload == hex(told.payload))
    }
}
