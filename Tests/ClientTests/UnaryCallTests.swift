import Kernel
import Testing
import Wire

@testable import ExecClient

@Suite(.timeLimit(.minutes(1))) struct UnaryCallTests {
    @Test func `an answer comes back as a value`() async throws {
        let server = try FakeServer { event, peer in
            guard case .request(.execWait, let payload, let id) = event,
                let request = try? ExecWaitRequest.decode(payload.span.bytes)
            else { return }
            var info = ExecInfo(containerID: request.containerID, execID: request.execID)
            info.viewers = UInt32(request.timeoutMS)
            peer.respond(ExecWaitResponse(info: info), on: id)
        }
        defer { server.stop() }
        let info = try await ExecClient.withClient(address: server.address) { client in
            try await client.wait(try ExecKey(container: "c", exec: "e"), timeoutMS: 7)
        }
        #expect(info.containerID == "c" && info.execID == "e" && info.viewers == 7)
    }

    @Test func `calls share one connection, and none waits for another`() async throws {
        let connections = Seen<Int>()
        let server = try FakeServer { event, peer in
            guard case .request(let method, let payload, let id) = event else { return }
            connections.add(peer.number)
            // The wait is never answered.
            guard method == .containerStatus,
                let request = try? ContainerStatusRequest.decode(payload.span.bytes)
            else { return }
            peer.respond(ContainerStatus(containerID: request.containerID, state: .running), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let waiting = Task { try await client.wait(Self.key, timeoutMS: 1000) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask {
                    let status = try await client.containerStatus("c\(number)")
                    #expect(status.containerID == "c\(number)")
                }
            }
            try await group.waitForAll()
        }
        waiting.cancel()
        #expect(await Self.code { _ = try await waiting.value } == .cancelled)
        #expect(Set(connections.all) == [1])
    }

    @Test func `a cancelled call leaves the connection usable, and its late answer is dropped`()
        async throws
    {
        let (arrived, continuation) = AsyncStream.makeStream(of: UInt32.self)
        let late = Seen<UInt32>()
        let server = try FakeServer { event, peer in
            guard case .request(let method, _, let id) = event else { return }
            if method == .execWait {
                late.add(id)
                continuation.yield(id)
                return
            }
            let info = ExecInfo(containerID: "late", execID: "late")
            for id in late.all { peer.respond(ExecWaitResponse(info: info), on: id) }
            #expect(peer.number == 1)
            peer.respond(ExecListResponse(execs: []), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let waiting = Task { try await client.wait(Self.key, timeoutMS: 1000) }
        for await _ in arrived { break }
        waiting.cancel()
        #expect(await Self.code { _ = try await waiting.value } == .cancelled)
        #expect(try await client.list().execs.isEmpty)
    }

    @Test func `a status is the error that is thrown`() async throws {
        let server = try FakeServer { event, peer in
            guard case .request(_, _, let id) = event else { return }
            peer.fail(ExecError(.notFound, "no such exec"), on: id)
        }
        defer { server.stop() }
        let error = await #expect(throws: ExecError.self) {
            try await ExecClient.withClient(address: server.address) { client in
                try await client.remove(Self.key)
            }
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "no such exec")
    }

    @Test(arguments: ["unix:/tmp/execstream-nobody.sock", "tcp:127.0.0.1:1"])
    func `where nobody listens, that and what to do is said`(address: String) async throws {
        let error = await #expect(throws: ExecError.self) {
            try await ExecClient.withClient(address: address) { try await $0.list() }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("nothing listens on \(address)") == true)
        #expect(error?.message.contains("execstream serve") == true)
    }

    @Test func `an address that is none is refused at once`() {
        let error = #expect(throws: ExecError.self) { try ExecClient(address: "http://x") }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `a broken connection fails its calls, and the next call makes another`() async throws
    {
        let server = try FakeServer { event, peer in
            guard case .request(_, _, let id) = event else { return }
            if peer.number == 1 { return peer.close() }
            peer.respond(ExecListResponse(execs: []), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        #expect(await Self.code { _ = try await client.list() } == .unavailable)
        #expect(try await client.list().execs.isEmpty)
    }

    @Test func `waiting for an exit survives a break`() async throws {
        let server = try FakeServer { event, peer in
            guard case .request(.execWait, let payload, let id) = event,
                let request = try? ExecWaitRequest.decode(payload.span.bytes)
            else { return }
            var info = ExecInfo(containerID: "c", execID: "e")
            if request.timeoutMS == 0 { return peer.respond(ExecWaitResponse(info: info), on: id) }
            if peer.number < 3 { return peer.close() }
            info.exit = Exit(code: 7, reason: .natural)
            peer.respond(ExecWaitResponse(info: info), on: id)
        }
        defer { server.stop() }
        let exit = try await ExecClient.withClient(address: server.address) { client in
            try await client.waitForExit(Self.key)
        }
        #expect(exit?.code == 7)
    }

    @Test func `a wait ends when its time has passed, also where no answer comes`() async throws {
        let server = try FakeServer { event, peer in Self.answerAtOnce(event, peer) }
        defer { server.stop() }
        let exit = try await ExecClient.withClient(address: server.address) { client in
            let pace = WaitPace(answering: .milliseconds(1))
            return try await client.waitForExit(Self.key, timeout: .milliseconds(300), pace: pace)
        }
        #expect(exit == nil)
    }

    @Test func `a connection on which a wait is not answered makes room for another`() async throws
    {
        let server = try FakeServer { event, peer in
            if peer.number == 1 { return Self.answerAtOnce(event, peer) }
            guard case .request(.execWait, _, let id) = event else { return }
            var info = ExecInfo(containerID: "c", execID: "e")
            info.exit = Exit(code: 7, reason: .natural)
            peer.respond(ExecWaitResponse(info: info), on: id)
        }
        defer { server.stop() }
        let exit = try await ExecClient.withClient(address: server.address) { client in
            let pace = WaitPace(part: .milliseconds(20), answering: .milliseconds(1))
            return try await client.waitForExit(Self.key, timeout: nil, pace: pace)
        }
        #expect(exit?.code == 7)
    }

    /// Answers what asks for no time, and nothing else.
    private static func answerAtOnce(_ event: FakeServer.Event, _ peer: Peer) {
        guard case .request(.execWait, let payload, let id) = event,
            let request = try? ExecWaitRequest.decode(payload.span.bytes), request.timeoutMS == 0
        else { return }
        peer.respond(ExecWaitResponse(info: ExecInfo(containerID: "c", execID: "e")), on: id)
    }

    @Test func `closing the client fails what waits, and what comes after`() async throws {
        let (arrived, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = try FakeServer { event, peer in
            if case .request = event { continuation.yield() }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        let waiting = Task { try await client.wait(Self.key, timeoutMS: 1000) }
        for await _ in arrived { break }
        client.close()
        #expect(await Self.code { _ = try await waiting.value } == .cancelled)
        #expect(await Self.code { _ = try await client.list() } == .cancelled)
        #expect(await Self.code { _ = try await client.attach(Self.key).exit() } == .cancelled)
        client.close()
    }

    @Test func `a server of another kind is told apart`() async throws {
        let server = try FakeServer { event, peer in
            peer.write(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        }
        defer { server.stop() }
        let error = await #expect(throws: ExecError.self) {
            try await ExecClient.withClient(address: server.address) { try await $0.list() }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("does not speak ttrpc") == true)
    }

    @Test func `a stream's data on a unary call fails that call alone`() async throws {
        let server = try FakeServer { event, peer in
            guard case .request(let method, _, let id) = event else { return }
            if method == .execList {
                peer.send(SessionResponse.stdinCredit(1), on: id)
            } else {
                peer.respond(ContainerStatus(containerID: "c", state: .running), on: id)
            }
        }
        defer { server.stop() }
        try await ExecClient.withClient(address: server.address) { client in
            #expect(await Self.code { _ = try await client.list() } == .internalError)
            let status = try await client.containerStatus("c")
            #expect(status.state == .running)
        }
    }

    private static let key = {
        guard let key = try? ExecKey(container: "c", exec: "e") else { fatalError("a valid key") }
        return key
    }()

    private static func code(
        _ body: () async throws -> Void,
    ) async -> ExecError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? ExecError)?.code
        }
    }
}
