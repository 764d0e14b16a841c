internal import CExecProto
internal import ExecModel
internal import Testing

@testable internal import Wire

@Suite("Frames")
struct FramesTests {
    @Test("A header's fields are big endian, at their places")
    func header() throws {
        let header = FrameHeader(
            length: 0x12_3456,
            streamID: 0xa1b2_c3d4,
            type: .data,
            flags: .remoteOpen,
        )
        var bytes: [UInt8] = [0xff]
        header.append(to: &bytes)
        #expect(bytes == hex("ff 00123456 a1b2c3d4 03 02"))
        for count in 0...FrameHeader.byteCount {
            let some = bytes[1..<1 + count]
            let read = FrameHeader(some.span.bytes)
            #expect(read == (count == FrameHeader.byteCount ? header : nil))
        }
    }

    @Test("A stream's end is a frame of its own, with both flags")
    func end() {
        #expect(Frames.end(streamID: 1) == hex("00000000 00000001 03 05"))
    }

    @Test("A message that is empty is a frame of length 0 without flags")
    func emptyMessage() throws {
        #expect(
            try Frames.data(ExecListRequest(), streamID: 7) == hex("00000000 00000007 03 00"),
        )
    }

    @Test("Frames are appended behind what is there already")
    func append() throws {
        var output: [UInt8] = [0xee]
        let request = CallRequest(method: "Hello")
        try Frames.appendRequest(request, streamID: 1, flags: .remoteOpen, to: &output)
        try Frames.appendData(SessionRequest.closeStdin, streamID: 1, to: &output)
        Frames.appendEnd(streamID: 1, to: &output)
        Frames.appendResponse(ExecListResponse(execs: []), streamID: 1, to: &output)
        Frames.appendFailure(ExecError(.notFound, "no"), streamID: 1, to: &output)
        var expected: [UInt8] = [0xee]
        expected += try Frames.request(request, streamID: 1, flags: .remoteOpen)
        expected += try Frames.data(SessionRequest.closeStdin, streamID: 1)
        expected += Frames.end(streamID: 1)
        expected += Frames.response(ExecListResponse(execs: []), streamID: 1)
        expected += Frames.failure(ExecError(.notFound, "no"), streamID: 1)
        #expect(output == expected)
    }

    @Test("A response is the same whether its message is encoded first or in place")
    func response() {
        for count in [0, 1, 120, 121, 127, 128, 16_379, 16_384, 70_000] {
            let message = ContainerControlResponse(
                success: false,
                message: String(repeating: "x", count: count),
            )
            let whole = CallResponse(payload: message.encode()).encodeFrame(streamID: 5)
            #expect(Frames.response(message, streamID: 5) == whole)
        }
    }

    @Test("A request or a message over 4 MiB is refused, and nothing of it is written")
    func tooLarge() throws {
        let text = String(repeating: "x", count: Frames.payloadBytesMax)
        var output: [UInt8] = []
        #expect(throws: ExecError.self) {
            try Frames.appendData(HelloRequest(client: text), streamID: 1, to: &output)
        }
        #expect(throws: ExecError.self) {
            try Frames.appendRequest(
                CallRequest(method: "Hello", payload: Array(text.utf8)),
                streamID: 1,
                to: &output,
            )
        }
        do {
            _ = try Frames.data(HelloRequest(client: text), streamID: 1)
        } catch {
            #expect(error.code == .resourceExhausted)
            #expect(
                error.message
                    == "HelloRequest has 4194309 bytes; a frame holds at most 4194304",
            )
        }
        #expect(output.isEmpty)
    }

    @Test("A message of just 4 MiB fits")
    func justFits() throws {
        let text = String(repeating: "x", count: Frames.payloadBytesMax - 5)
        let frame = try Frames.data(HelloRequest(client: text), streamID: 1)
        #expect(frame.count == FrameHeader.byteCount + Frames.payloadBytesMax)
    }

    @Test("An answer over 4 MiB becomes RESOURCE_EXHAUSTED on its call")
    func answerTooLarge() throws {
        let text = String(repeating: "x", count: Frames.payloadBytesMax - 3)
        let message = ContainerControlResponse(success: false, message: text)
        let frames = [
            Frames.response(message, streamID: 3),
            CallResponse(payload: Array(text.utf8)).encodeFrame(streamID: 3),
        ]
        for frame in frames {
            let response = try CallResponse.decode(
                bytes: Array(frame.dropFirst(FrameHeader.byteCount)),
            )
            #expect(response.status?.code == .resourceExhausted)
            #expect(response.payload.isEmpty)
            #expect(frame.count < 200)
        }
    }

    @Test("An answer of the largest size fits")
    func answerFits() {
        let payload = [UInt8](repeating: 1, count: CallResponse.payloadBytesMax)
        let frame = CallResponse(payload: payload).encodeFrame(streamID: 3)
        #expect(frame.count == FrameHeader.byteCount + Frames.payloadBytesMax)
    }

    @Test("A status's message is cut to 4 KiB, between two characters")
    func longStatus() throws {
        for prefix in ["", "a", "ab", "abc"] {
            let error = ExecError(.unimplemented, prefix + String(repeating: "🧵", count: 2_000_000))
            let frame = Frames.failure(error, streamID: 1)
            let response = try CallResponse.decode(
                bytes: Array(frame.dropFirst(FrameHeader.byteCount)),
            )
            let message = try #require(response.status?.message)
            #expect((4093...4096).contains(message.utf8.count))
            #expect(error.message.hasPrefix(message))
        }
    }

    @Test("An absent status and one with code 0 are both OK; the first is sent")
    func bothFormsOfOK() throws {
        #expect(CallResponse(payload: [1]).encode() == hex("120101"))
        #expect(CallResponse().encode() == [])
        for bytes in ["120101", "0a00 120101", "0a02 0800 120101", "0a06 12046e6f6e65 120101"] {
            let response = try CallResponse.decode(bytes: hex(bytes))
            #expect(response.status == nil)
            #expect(response.payload == [1])
        }
        #expect(CallResponse(failure: ExecError(.ok, "")).encode() == hex("0a00"))
    }

    @Test("Details in a status are passed over")
    func details() throws {
        let response = try CallResponse.decode(
            bytes: hex("0a11 0805 12026e6f 1a09 0a03612e62 120200ff"),
        )
        #expect(response.status?.code == .notFound)
        #expect(response.status?.message == "no")
    }

    @Test("A list is cut where an answer is full, and says so")
    func listIsCut() throws {
        var exec = ExecInfo(containerID: "c", execID: "e")
        exec.argv = [String(repeating: "x", count: 1_000_000)]
        let (four, _) = try list(Array(repeating: exec, count: 4))
        #expect(four.execs.count == 4 && !four.truncated)
        let (five, frame) = try list(Array(repeating: exec, count: 5))
        #expect(five.execs.count == 4 && five.truncated)
        #expect(frame[10] == 0x12)
        for bytesMax in 2..<80 {
            let some = Array(repeating: Samples.bareInfo, count: 5)
            let (cut, _) = try list(some, bytesMax: bytesMax)
            #expect(cut.encode().count <= bytesMax)
            #expect(cut.truncated == (cut.execs.count < 5))
        }
    }

    private func list(
        _ execs: [ExecInfo],
        bytesMax: Int = CallResponse.payloadBytesMax,
    ) throws -> (ExecListResponse, [UInt8]) {
        var answer = ExecsAnswer.list(bytesMax: bytesMax)
        for exec in execs { answer.append(exec) }
        let rest = ExecListResponse(execs: [], truncated: answer.isFull)
        let frame = answer.response(rest, streamID: 1)
        let response = try CallResponse.decode(bytes: Array(frame[FrameHeader.byteCount...]))
        return (try ExecListResponse.decode(bytes: response.payload), frame)
    }

    @Test("An answer whose execs were encoded one by one is the answer")
    func encodedOneByOne() throws {
        let infos = [Samples.bareInfo, Samples.info, Samples.bareInfo]
        let (list, frame) = try list(infos)
        #expect(list == ExecListResponse(execs: infos))
        #expect(frame == Frames.response(list, streamID: 1))

        var status = ContainerStatus(containerID: "c", state: .running)
        status.startedUnixNS = 7
        var answer = ExecsAnswer.status()
        for info in infos { answer.append(info) }
        let statusFrame = answer.response(status, streamID: 1)
        let response = try CallResponse.decode(
            bytes: Array(statusFrame[FrameHeader.byteCount...])
        )
        status.execs = infos
        #expect(try ContainerStatusResponse.decode(bytes: response.payload) == status)
    }

    @Test("The methods are those of the contract, and their shapes too")
    func methods() {
        let service = execstream__v1__exec__descriptor
        let names = (0..<Int(service.n_methods)).map { String(cString: service.methods[$0].name) }
        #expect(Method.allCases.map(\.rawValue) == names)
        #expect(ServiceName.exec == String(cString: service.name))
        #expect(Method.session.shape == .bidirectional)
        #expect(Method.publish.shape == .clientStream)
        #expect(Method.containerLifecycle.shape == .serverStream)
        #expect(Method.allCases.filter { $0.shape == .unary }.count == 10)
        #expect(MethodShape.unary.requestFlags == [])
        #expect(MethodShape.serverStream.requestFlags.rawValue == 1)
        #expect(MethodShape.bidirectional.requestFlags.rawValue == 2)
        #expect(MethodShape.clientStream.requestFlags.rawValue == 2)
    }
}
