import ExecModel
import Glibc
import Kernel
import Testing
import Wire

@testable import ExecServer

@Suite("What one identity may have over all its connections", .serialized, .timeLimit(.minutes(1)))
struct IdentityLimitTests {
    private static let tokens = """
        wall  view  token-of-wall-0001
        ci    run   token-of-ci-000001
        other run   token-of-other-001
        """

    private func run(
        _ limit: (inout IdentityLimits) -> Void,
        options change: (inout ServerOptions) -> Void = { _ in },
        _ body: (Service) async throws -> Void,
    ) async throws {
        let file = try TokensFile(Self.tokens)
        let path = file.path
        try await Service.run(
            options: {
                $0.tokensFile = path
                limit(&$0.identityLimits)
                change(&$0)
            },
            body
        )
    }

    private func wall(_ service: Service) throws -> RawClient {
        try RawClient(service, token: "token-of-wall-0001")
    }

    private func ci(_ service: Service) throws -> RawClient {
        try RawClient(service, token: "token-of-ci-000001")
    }

    /// What a start fails with; nil: it ran.
    private func start(
        _ client: RawClient,
        _ exec: String,
        id: UInt32,
        _ change: (inout Command) -> Void = { _ in },
    ) throws -> ExecError? {
        var command = Command(["true"])
        change(&command)
        try client.start(Start(containerID: "c", execID: exec, command: command), id: id)
        return try client.session(id).failure
    }

    @Test("is so many connections; others have theirs, and one that goes makes room")
    func connections() async throws {
        try await run({ $0.connectionsMax = 2 }) { service in
            let (first, second) = (try wall(service), try wall(service))
            let error = #expect(throws: ExecError.self) { try wall(service) }
            #expect(error?.code == .resourceExhausted)
            #expect(error?.message.contains("identity wall has 2 connections") == true)
            _ = try ci(service)
            first.close()
            while (try? wall(service)) == nil {}
            #expect(try second.call(.execList, ExecListRequest(), id: 3).status == nil)
        }
    }

    @Test("is so many Unix connections of a user, who is told so instead of being cut off")
    func unixConnections() async throws {
        try await run({ $0.connectionsMax = 2 }) { service in
            let clients = try (0..<2).map { _ in try RawClient(path: service.socketPath) }
            for client in clients {
                #expect(try client.call(.execList, ExecListRequest()).status == nil)
            }
            let third = try RawClient(path: service.socketPath)
            let failure = try third.response(1).status
            #expect(failure?.code == .resourceExhausted)
            #expect(failure?.message.contains("has 2 connections") == true)
        }
    }

    @Test("is so many open calls, on whichever connections, and those that end are given back")
    func streams() async throws {
        try await run({ $0.streamsMax = 3 }) { service in
            let clients = [try wall(service), try wall(service)]
            for (client, id) in [(0, 3), (0, 5), (1, 3)] as [(Int, UInt32)] {
                try clients[client].open("ContainerLifecycle", id: id, flags: .remoteClosed)
            }
            _ = try clients[0].call(.hello, HelloRequest(client: "x", token: ""), id: 7)
            let failure = try clients[1].call(.execList, ExecListRequest(), id: 5).status
            #expect(failure?.code == .resourceExhausted)
            #expect(failure?.message.contains("identity wall has 3 open calls") == true)
            #expect(try ci(service).call(.execList, ExecListRequest(), id: 3).status == nil)
            clients[0].close()
            while try clients[1].call(.execList, ExecListRequest(), id: 9).status != nil {}
        }
    }

    @Test("is so many execs, started or published, until they are removed")
    func execs() async throws {
        try await run({ $0.execsMax = 2 }) { service in
            let client = try ci(service)
            #expect(try start(client, "a", id: 3) == nil)
            let register = PublishRequest.register(Register(containerID: "c", execID: "p"))
            try client.open("Publish", register.encode(), id: 5, flags: .remoteOpen)
            let full = try start(client, "b", id: 7)
            #expect(full?.code == .resourceExhausted)
            #expect(full?.message.contains("identity ci has 2 execs") == true)
            // What joins counts for nothing.
            #expect(try start(client, "a", id: 9) == nil)
            let other = try RawClient(service, token: "token-of-other-001")
            #expect(try start(other, "o", id: 3) == nil)
            try service.registry.remove(try key("a", in: "c"))
            var id: UInt32 = 11
            while try start(client, "b", id: id) != nil { id += 2 }
        }
    }

    @Test("is so many bytes: of commands, of messages in parts, and of answers that are not read")
    func bytes() async throws {
        try await run({ $0.bytesMax = 2 << 20 }) { service in
            let client = try ci(service)
            let large = String(repeating: "x", count: 600_000)
            // The message that a start came by may count beside what is kept of it.
            var kept = 0
            while true {
                let failure = try start(client, "e\(kept)", id: UInt32(3 + 2 * kept)) {
                    $0.labels["l"] = large
                }
                guard let failure else {
                    kept += 1
                    continue
                }
                #expect(failure.code == .resourceExhausted)
                #expect(failure.message.contains("identity ci has 2097152 bytes"))
                break
            }
            #expect((2...3).contains(kept))
            // Execs that take all of their bytes leave answers theirs.
            let list = try client.call(.execList, ExecListRequest(), id: 101).status
            #expect(list?.message.contains("bytes of messages and answers") == true)
            let wait = ExecWaitRequest(containerID: "c", execID: "e0", timeoutMS: 10_000)
            #expect(try client.call(.execWait, wait, id: 103).status == nil)
            // Parts of messages: four of them are more than there may be.
            var header: [UInt8] = []
            FrameHeader(length: 4_000_000, streamID: 3, type: .request).append(to: &header)
            let half = header + Array(large.utf8)
            let walls = try (0..<4).map { _ in try wall(service) }
            for wall in walls { _ = try? wall.writeSome(half, withinMS: 10_000) }
            while !walls.contains(where: { $0.isClosed(withinMS: 10) }) {}
            _ = try wall(service)
        }
    }

    @Test(
        "is so many bytes of lists that are not read: the next is refused, no connection is closed"
    )
    func lists() async throws {
        try await run({ $0.bytesMax = 16 << 20 }, options: { $0.loopCount = 1 }) { service in
            let large = String(repeating: "x", count: 100_000)
            for number in 0..<30 {
                let key = try key("e\(number)", in: "many")
                _ = try service.registry.register(key, labels: ["l": large])
            }
            let clients = try (0..<8).map { _ in try wall(service) }
            for client in clients { try client.open("ExecList", id: 3) }
            let answers = try clients.map { try $0.response(3) }
            let refused = answers.filter { $0.status != nil }
            #expect((1..<8).contains(refused.count))
            #expect(refused.allSatisfy { $0.status?.code == .resourceExhausted })
            #expect(answers.allSatisfy { $0.status != nil || $0.payload.count > 3_000_000 })
            for client in clients {
                let nothing = ExecListRequest(containerID: "none")
                #expect(try client.call(.execList, nothing, id: 5).status == nil)
            }
            #expect(try clients[7].call(.execList, ExecListRequest(), id: 7).status == nil)
        }
    }

    @Test("is one part of a loop's time: calls of many connections leave others their turn")
    func time() async throws {
        try await run({ _ in }, options: { $0.loopCount = 1 }) { service in
            for number in 0..<300 {
                _ = try service.registry.register(try key("e\(number)", in: "many"))
            }
            let greedy = try (0..<50).map { _ in try wall(service) }
            let other = try ci(service)
            let nothing = ExecListRequest(labels: ["there": "is none"]).encode()
            let ids = (0..<60).map { UInt32($0 * 2 + 3) }
            let calls = try ids.flatMap { id in
                let request = CallRequest(method: "ExecList", payload: nothing)
                return try Frames.request(request, streamID: id)
            }
            let clock = ContinuousClock()
            let begin = clock.now
            for client in greedy { try client.write(calls) }
            for id: UInt32 in [3, 5, 7, 9, 11] {
                let request = ExecStopRequest(containerID: "no", execID: "no")
                #expect(try other.call(.execStop, request, id: id).status?.code == .notFound)
            }
            let waited = clock.now - begin
            for client in greedy {
                for id in ids { #expect(try client.response(id).status == nil) }
            }
            #expect(waited < (clock.now - begin) / 3)
        }
    }
}
