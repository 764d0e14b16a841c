import ExecClient
import ExecModel
import ExecServer
import Kernel
import Testing
import Wire

@Suite("Reading the tokens again", .timeLimit(.minutes(1)))
struct ReloadTests {
    private static let bob = "token-of-bob-0001"
    private static let eve = "token-of-eve-0001"

    private func signal(_ client: RawClient, id: UInt32) throws -> ExecError.Code? {
        let request = ExecSignalRequest(
            containerID: "c",
            execID: "none",
            signal: SignalRequest(18)
        )
        return try client.call(.execSignal, request, id: id).status?.code
    }

    @Test("closes who came by a token that is gone, and nobody else")
    func gone() async throws {
        let file = try TokensFile("bob run \(Self.bob)\neve view \(Self.eve)")
        let (path, lines) = (file.path, LogLines())
        try await Service.run(
            options: { ($0.tokensFile, $0.log) = (path, lines.log()) }
        ) { service in
            let bob = try RawClient(service, token: Self.bob)
            let eve = try RawClient(service, token: Self.eve)
            let other = try RawClient(service)
            let local = try await service.withClient(.unix) { client in
                try await client.run(try key("seen"), shell("echo seen")).exit()
                try eve.start(Start(containerID: "test", execID: "seen"), id: 3)
                _ = try eve.ready(3)
                try file.write("bob run \(Self.bob)\n# eve has left")
                service.server.reload()
                return try await client.list().execs.count
            }
            #expect(local == 1)
            #expect(throws: RawClient.Closed.self) { while true { _ = try eve.next() } }
            #expect(try signal(bob, id: 3) == .notFound)
            #expect(try signal(other, id: 3) == .notFound)
            let error = #expect(throws: ExecError.self) {
                try RawClient(service, token: Self.eve)
            }
            #expect(error?.code == .unauthenticated)
            #expect(!lines.text.contains("0001"))
        }
    }

    /// Bob, with a Session on stream 3 whose exec is all stdin.
    private func bobWithStdin(_ service: Service) throws -> RawClient {
        let bob = try RawClient(service, token: Self.bob)
        let command = shell("echo up; exec cat", stdin: true)
        try bob.start(Start(containerID: "c", execID: "e", command: command), id: 3)
        _ = try bob.ready(3)
        return bob
    }

    @Test("changes what may be done next, also on a Session that is open")
    func roles() async throws {
        let file = try TokensFile("bob run \(Self.bob)")
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let bob = try bobWithStdin(service)
            #expect(try signal(bob, id: 5) == .notFound)

            try file.write("robert view:c \(Self.bob)")
            service.server.reload()
            #expect(try signal(bob, id: 7) == .permissionDenied)
            try bob.send(SessionRequest.stdin([10]), id: 3)
            let failure = try bob.session(3).failure
            #expect(failure?.code == .permissionDenied)
            #expect(failure?.message.contains("role view may not send stdin") == true)

            try file.write("robert admin:d \(Self.bob)")
            service.server.reload()
            #expect(try signal(bob, id: 9) == .permissionDenied)
            let list = try bob.call(.execList, ExecListRequest(), id: 11)
            #expect(try decode(ExecListResponse.self, list.payload).execs.isEmpty)
        }
    }

    @Test("lets nobody end a stdin by leaving who may not write to it any more")
    func halfClose() async throws {
        let file = try TokensFile("bob run \(Self.bob)\neve run \(Self.eve)")
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let bob = try bobWithStdin(service)
            try file.write("bob view \(Self.bob)\neve run \(Self.eve)")
            service.server.reload()
            try bob.sendEnd(id: 3)
            // Answered after that was heard.
            #expect(try signal(bob, id: 5) == .permissionDenied)
            let eve = try RawClient(service, token: Self.eve)
            _ = try eve.attach("c", "e", id: 3)
            try eve.send(SessionRequest.stdin(Array("still open\n".utf8)), id: 3)
            try eve.waitForOutput("still open\n", 3)
        }
    }

    @Test("of a file that is wrong, open to others or gone keeps what was, and logs why")
    func wrong() async throws {
        let file = try TokensFile("bob run \(Self.bob)")
        let (path, lines) = (file.path, LogLines())
        try await Service.run(options: { ($0.tokensFile, $0.log) = (path, lines.log(.error)) }) {
            service in
            let bob = try RawClient(service, token: Self.bob)
            let changes: [(String, () throws -> Void)] = [
                ("line 2: it has 1 word", { try file.write("eve run \(Self.eve)\nbob") }),
                ("mode 0604", { try file.write("eve run \(Self.eve)", permissions: 0o604) }),
                ("ENOENT", { try Files.remove(path) }),
            ]
            for (number, (problem, change)) in changes.enumerated() {
                try change()
                service.server.reload()
                #expect(lines.all.count == number + 1)
                #expect(lines.all.last?.contains(problem) == true, "\(lines.all)")
                #expect(lines.all.last?.contains(path) == true)
                #expect(try signal(bob, id: UInt32(3 + 2 * number)) == .notFound)
                _ = try RawClient(service, token: Self.bob)
            }
            #expect(!lines.text.contains("0001"))
        }
    }

    @Test(
        "is refused at the start where the file is wrong, open to others or missing",
        arguments: [
            ("bob fly token-of-bob-0001", 0o600, "line 1"), ("", 0o640, "mode 0640"),
            ("", 0o604, "mode 0604"), (nil, 0o600, "ENOENT"),
        ] as [(String?, UInt32, String)]
    )
    func start(_ text: String?, _ mode: UInt32, _ problem: String) async throws {
        let file = try TokensFile("")
        let path = file.path
        if let text { try file.write(text, permissions: mode) } else { try Files.remove(path) }
        let error = try await failure {
            try await Service.run(options: { $0.tokensFile = path }) { _ in }
        }
        #expect(error.code == .failedPrecondition)
        #expect(error.message.contains(problem), "\(error)")
        #expect(error.message.contains(path))
    }
}

@Suite("A wrong token", .timeLimit(.minutes(1)))
struct WrongTokenTests {
    @Test("is answered late, and later each time; a right one beside it at once")
    func slow() async throws {
        let lines = LogLines()
        let first = Duration.milliseconds(150)
        try await Service.run(options: { ($0.wrongTokenDelay, $0.log) = (first, lines.log()) }) {
            service in
            let guesser = try RawClient(port: service.port)
            let hello = { HelloRequest(client: "x", token: $0).encode() }
            let clock = ContinuousClock()
            var delay = first
            for id: UInt32 in [3, 5, 7] {
                let start = clock.now
                try guesser.open("Hello", hello("a-wrong-token"), id: id)
                // Data for the call that waits is nothing to answer.
                try guesser.send(HelloRequest(client: "x", token: ""), id: id)
                // From the same address, while the guesser waits.
                let right = try RawClient(service)
                #expect(try right.call(.execList, ExecListRequest(), id: 3).status == nil)
                #expect(clock.now - start < delay)
                #expect(try guesser.response(id).status?.code == .unauthenticated)
                #expect(clock.now - start >= delay)
                delay = delay * 2
            }
            #expect(throws: RawClient.Closed.self) { try guesser.next() }
            // The address is remembered, not the connection.
            let start = clock.now
            let next = try RawClient(port: service.port)
            try next.open(
                "ExecList",
                id: 3,
                metadata: [(key: "authorization", value: "Bearer a-wrong-token")]
            )
            #expect(try next.response(3).status?.code == .unauthenticated)
            #expect(clock.now - start >= delay)
            #expect(!lines.text.contains("wrong-token"))
            #expect(lines.all.filter { $0.contains("wrong token") }.count == 4)
        }
    }

    @Test("keeps its connection from being read, so guesses can't be sent ahead")
    func ahead() async throws {
        let lines = LogLines()
        try await Service.run(
            options: { ($0.wrongTokenDelay, $0.log) = (.milliseconds(200), lines.log()) }
        ) { service in
            let guesser = try RawClient(port: service.port)
            let wrong = HelloRequest(client: "x", token: "a-wrong-token").encode()
            try guesser.open("Hello", wrong, id: 3)
            // Another client's calls, until the first guess was taken up.
            for _ in 0..<1_000 where !lines.text.contains("wrong token") {
                _ = try RawClient(service).call(.execList, ExecListRequest(), id: 3)
            }
            try guesser.open("Hello", wrong, id: 5)
            _ = try RawClient(service).call(.execList, ExecListRequest(), id: 3)
            #expect(lines.all.filter { $0.contains("wrong token") }.count == 1)
            #expect(try guesser.response(3).status?.code == .unauthenticated)
            #expect(try guesser.response(5).status?.code == .unauthenticated)
        }
    }

    @Test("is answered each time, also where all have one number")
    func sameNumber() async throws {
        try await Service.run(options: { $0.wrongTokenDelay = .milliseconds(20) }) { service in
            let guesser = try RawClient(port: service.port)
            let payload = HelloRequest(client: "x", token: "a-wrong-token").encode()
            let hello = CallRequest(method: "Hello", payload: payload)
            let frame = try Frames.request(hello, streamID: 3)
            try guesser.write(frame + frame + frame)
            for _ in 0..<3 {
                #expect(try guesser.response(3).status?.code == .unauthenticated)
            }
            #expect(guesser.isClosed(withinMS: 10_000))
        }
    }
}
