import ExecCore
import ExecModel
import ExecServer
import Kernel
import Testing
import Wire

@Suite("A peer's fault costs that peer its call, and nobody else anything", .timeLimit(.minutes(1)))
struct BadInputTests {
    /// Runs `body` with a client that has done nothing wrong, which must notice nothing.
    private func besideAHonestClient(
        _ body: (Service, RawClient) async throws -> Void,
    ) async throws {
        try await Service.run { service in
            let honest = try RawClient(service)
            let command = Command(["sh", "-c", "echo up; read line; echo $line"])
            var withStdin = command
            withStdin.stdin = true
            try honest.start(Start(containerID: "h", execID: "h", command: withStdin), id: 3)
            while try honest.next().payload.isEmpty {}

            try await body(service, try RawClient(service))

            try honest.send(SessionRequest.stdin(Array("still here\n".utf8)), id: 3)
            let said = try honest.session(3)
            #expect(said.text(.stdout).hasSuffix("still here\n"))
            #expect(said.exit?.code == 0)
        }
    }

    private func expectAlive(_ client: RawClient) throws {
        #expect(try client.call(.execList, ExecListRequest(), id: 901).status == nil)
    }

    @Test("A frame that is cut at any byte, and the connection closed, leaves no trace")
    func cutFrames() async throws {
        try await besideAHonestClient { service, _ in
            let frame = try Frames.request(
                CallRequest(method: "ExecList", payload: ExecListRequest().encode()),
                streamID: 3
            )
            for count in 0..<frame.count {
                let client = try RawClient(service)
                try client.write(Array(frame[..<count]))
            }
            try expectAlive(try RawClient(service))
        }
    }

    @Test("A message over 4 MiB is skipped, and answered with RESOURCE_EXHAUSTED")
    func oversized() async throws {
        try await besideAHonestClient { _, client in
            var frame: [UInt8] = []
            FrameHeader(length: 0, streamID: 5, type: .request).append(to: &frame)
            let length = 5 << 20
            frame[1] = UInt8(length >> 16)
            frame[2] = UInt8(length >> 8 & 0xFF)
            frame[3] = UInt8(length & 0xFF)
            try client.write(frame + [UInt8](repeating: 7, count: length))
            #expect(try client.response(5).status?.code == .resourceExhausted)
            try expectAlive(client)
        }
    }

    /// Calls whose answers are large: all execs of a container, made at once or when others were asked.
    enum LargeAnswer: CaseIterable, Sendable { case list, status }

    @Test(
        "A peer that asks and does not read is heard no longer, until it reads",
        arguments: LargeAnswer.allCases
    )
    func unreadAnswers(answer: LargeAnswer) async throws {
        try await besideAHonestClient { service, client in
            for number in 0..<200 {
                let key = try ExecKey(container: "many", exec: "e\(number)")
                let text = String(repeating: "x", count: 1_000)
                _ = try service.registry.register(key, labels: ["text": text])
            }
            let (method, payload) =
                switch answer {
                case .list: ("ExecList", ExecListRequest(containerID: "many").encode())
                case .status:
                    (
                        "ContainerStatus",
                        ContainerStatusRequest(containerID: "many", includeResourceUsage: true)
                            .encode()
                    )
                }
            let others = try (0..<service.loopCount).map { _ in try RawClient(service) }
            let ids = (0..<400).map { UInt32($0 * 2 + 3) }
            let before = try residentBytes()
            // All in one write, and so in one read of the server's; 80 MiB of answers.
            try client.write(
                try ids.flatMap { id in
                    let request = CallRequest(method: method, payload: payload)
                    return try Frames.request(request, streamID: id)
                }
            )
            // By the second answer on each loop that loop has heard what it would.
            for other in others + others { try expectAlive(other) }
            #expect(try residentBytes() < before + 16 << 20)
            for id in ids {
                let payload = try client.response(id).payload
                switch answer {
                case .list:
                    #expect(try decode(ExecListResponse.self, payload).execs.count == 200)
                case .status:
                    #expect(try decode(ContainerStatus.self, payload).execs.count == 200)
                }
            }
        }
    }

    private func residentBytes() throws -> Int {
        let text = String(decoding: try Files.readSmall("/proc/self/statm", max: 99), as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return try #require(pages) * 4096
    }

    @Test("Even ids, id 0 and an id in use are INVALID_ARGUMENT", arguments: [0, 2, 4, 7])
    func ids(id: UInt32) async throws {
        try await besideAHonestClient { _, client in
            let start = Start(containerID: "a", execID: "b", command: Command(["sleep", "60"]))
            try client.start(start, id: 7)
            while try client.next().payload.isEmpty {}
            try client.open("ExecList", id: id)
            #expect(try client.response(id).status?.code == .invalidArgument)
            try expectAlive(client)
        }
    }

    @Test("An unknown service or method is UNIMPLEMENTED, and named")
    func unknown() async throws {
        try await besideAHonestClient { _, client in
            try client.open("Fly", id: 3)
            let method = try #require(try client.response(3).status)
            #expect(method.code == .unimplemented)
            #expect(method.message.contains("Fly"))
            try client.open("Session", id: 5, service: "other.Service")
            let service = try #require(try client.response(5).status)
            #expect(service.code == .unimplemented)
            #expect(service.message.contains("other.Service"))
            try expectAlive(client)
        }
    }

    @Test("What is not protobuf is INVALID_ARGUMENT: as request, as message, in a stream")
    func garbage() async throws {
        try await besideAHonestClient { _, client in
            let junk: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0x07]
            var frame: [UInt8] = []
            FrameHeader(length: junk.count, streamID: 3, type: .request).append(to: &frame)
            try client.write(frame + junk)
            #expect(try client.response(3).status?.code == .invalidArgument)
            try client.open("ExecWait", junk, id: 5)
            let message = try #require(try client.response(5).status)
            #expect(message.code == .invalidArgument)
            #expect(message.message.contains("ExecWaitRequest"))
            try client.open("Session", junk, id: 7, flags: .remoteOpen)
            #expect(try client.response(7).status?.code == .invalidArgument)
            try expectAlive(client)
        }
    }

    @Test("An HTTP request or a TLS hello closes its own connection at once")
    func otherProtocols() async throws {
        try await besideAHonestClient { service, _ in
            for bytes in [
                Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3],
            ] {
                let client = try RawClient(port: service.port)
                try client.write(bytes)
                #expect(throws: RawClient.Closed.self) { try client.next() }
            }
        }
    }

    @Test(
        "IDs that would leave their directory or a terminal's line are INVALID_ARGUMENT",
        arguments: ["", ".", "..", "../x", "a/b", "-x", ".x", "a b", "a\u{1B}[2J", "é", "a\0b"]
            + [String(repeating: "x", count: 129)]
    )
    func badIDs(id: String) async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let starts = [
                Start(containerID: id, execID: "b", command: Command(["true"])),
                Start(containerID: "a", execID: id, command: Command(["true"])),
            ]
            for (number, start) in starts.enumerated() {
                let stream = UInt32(3 + number * 2)
                try client.start(start, id: stream)
                #expect(try client.session(stream).failure?.code == .invalidArgument)
            }
            #expect(service.registry.instances().isEmpty)
        }
    }

    @Test(
        "An empty argv, and a NUL anywhere in a command, are INVALID_ARGUMENT that name the field"
    )
    func badCommands() async throws {
        var withNULInEnvironment = Command(["true"])
        withNULInEnvironment.environment = ["A": "b\0c"]
        var withNULInDirectory = Command(["true"])
        withNULInDirectory.workingDirectory = "/\0"
        let commands: [(Command, String)] = [
            (Command([]), "argv"), (Command([""]), "argv[0]"),
            (Command(["echo", "a\0b"]), "argv[1]"), (withNULInEnvironment, "env"),
            (withNULInDirectory, "working_dir"),
        ]
        try await besideAHonestClient { _, client in
            for (number, (command, field)) in commands.enumerated() {
                let stream = UInt32(3 + number * 2)
                try client.start(
                    Start(containerID: "a", execID: "b", command: command),
                    id: stream
                )
                let failure = try #require(try client.session(stream).failure)
                #expect(failure.code == .invalidArgument)
                #expect(failure.message.contains(field))
            }
            try expectAlive(client)
        }
    }

    @Test(
        "Data for no call, or for a unary call, is INVALID_ARGUMENT; for one that is over, nothing"
    )
    func strayData() async throws {
        try await besideAHonestClient { service, client in
            try client.send(SessionRequest.closeStdin, id: 41)
            let stray = try #require(try client.response(41).status)
            #expect(stray.code == .invalidArgument)
            #expect(stray.message.contains("no such stream"))

            // A unary call that waits.
            let wait = ExecWaitRequest(containerID: "h", execID: "h", timeoutMS: 60_000)
            try client.open("ExecWait", wait.encode(), id: 43)
            try client.send(SessionRequest.closeStdin, id: 43)
            #expect(try client.response(43).status?.code == .invalidArgument)

            // One that the server has ended: the next answer is that of the call after it.
            try client.open("Fly", id: 45)
            _ = try client.response(45)
            try client.send(SessionRequest.closeStdin, id: 45)
            try client.open("ExecList", id: 47)
            #expect(try client.next().header.streamID == 47)
        }
    }

    @Test("Unknown frame types, flag bits and fields are ignored")
    func unknownParts() async throws {
        try await besideAHonestClient { _, client in
            var frame: [UInt8] = []
            FrameHeader(length: 3, streamID: 9, type: FrameType(rawValue: 77)).append(to: &frame)
            try client.write(frame + [1, 2, 3])
            let unknownField: [UInt8] = [0xFA, 0x7F, 1, 42]
            try client.open(
                "ExecList",
                unknownField,
                id: 11,
                flags: FrameFlags(rawValue: 0xF0)
            )
            #expect(try client.response(11).status == nil)
        }
    }

    @Test("Without a token every call but Hello is UNAUTHENTICATED; three wrong ones close")
    func tokens() async throws {
        try await besideAHonestClient { service, _ in
            let client = try RawClient(port: service.port)
            let methods = Wire.Method.allCases.filter { $0 != .hello }.map(\.rawValue) + ["Fly"]
            for (number, method) in methods.enumerated() {
                let stream = UInt32(101 + number * 2)
                try client.open(method, id: stream)
                #expect(try client.response(stream).status?.code == .unauthenticated)
            }
            for stream: UInt32 in [3, 5, 7] {
                try client.open(
                    "Hello",
                    HelloRequest(client: "x", token: "wrong-token").encode(),
                    id: stream
                )
                #expect(try client.response(stream).status?.code == .unauthenticated)
            }
            #expect(throws: RawClient.Closed.self) { try client.next() }
        }
    }

    @Test("A token may come with any call instead")
    func bearer() async throws {
        try await Service.run { service in
            let client = try RawClient(port: service.port)
            try client.open(
                "ExecList",
                id: 3,
                metadata: [(key: "authorization", value: "Bearer \(service.token)")]
            )
            #expect(try client.response(3).status == nil)
            #expect(try client.call(.execList, ExecListRequest(), id: 5).status == nil)
        }
    }

    @Test("A connection that does not authenticate in time is closed")
    func silence() async throws {
        try await Service.run(options: { $0.authenticationTime = .milliseconds(50) }) { service in
            let client = try RawClient(port: service.port)
            #expect(throws: RawClient.Closed.self) { try client.next() }
        }
    }

    @Test("The call after the last that a connection may have open is RESOURCE_EXHAUSTED")
    func tooManyStreams() async throws {
        try await Service.run(options: { $0.streamsPerConnectionMax = 3 }) { service in
            let client = try RawClient(service)
            for stream: UInt32 in [3, 5, 7, 9] {
                try client.open("ContainerLifecycle", id: stream, flags: .remoteClosed)
            }
            #expect(try client.response(9).status?.code == .resourceExhausted)
            try client.open("Hello", id: 11)
            #expect(try client.response(11).status?.code == .resourceExhausted)
        }
    }

    @Test("timeout_nano bounds a unary call")
    func deadline() async throws {
        try await besideAHonestClient { _, client in
            let wait = ExecWaitRequest(containerID: "h", execID: "h", timeoutMS: 60_000)
            try client.open("ExecWait", wait.encode(), id: 3, timeoutNano: 20_000_000)
            #expect(try client.response(3).status?.code == .deadlineExceeded)
        }
    }
}
