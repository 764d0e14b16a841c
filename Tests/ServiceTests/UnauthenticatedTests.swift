import ExecClient
import ExecModel
import Kernel
import Testing
import Wire

@testable import ExecServer

@Suite("Unauthenticated peers", .serialized, .timeLimit(.minutes(1)))
struct UnauthenticatedTests {
    private let wrong = HelloRequest(client: "x", token: "a-wrong-token")

    /// Waits, by asking the server, until it has so many connections or fewer.
    private func waitForConnections(_ service: Service, atMost count: Int) throws {
        let client = try RawClient(service)
        while service.server.context.allConnections.count > count + 1 {
            _ = try client.call(.execList, ExecListRequest(), id: 3)
        }
    }

    @Test("that only sit there keep out neither Unix peers nor clients with a token")
    func idle() async throws {
        try await Service.run(
            options: { ($0.connectionsMax, $0.unauthenticatedConnectionsMax) = (100, 32) }
        ) { service in
            let idle = try (0..<200).map { _ in try RawClient(port: service.port) }
            let execs = try await service.withClient(.unix) { try await $0.list().execs }
            #expect(execs.isEmpty)
            for _ in 0..<20 { _ = try RawClient(service) }
            // Half of 32 for loopback, and the one that asks.
            try waitForConnections(service, atMost: 16)
            #expect(idle.prefix(180).allSatisfy { $0.isClosed(withinMS: 10_000) })
        }
    }

    @Test("that leave before their answer give their place back at once")
    func leaving() async throws {
        try await Service.run(
            options: { $0.wrongTokenDelay = .seconds(10) }
        ) { service in
            let guesser = try RawClient(port: service.port)
            try guesser.open("Hello", wrong.encode(), id: 1)
            while service.server.context.heldAnswerCount < 1 {
                _ = try RawClient(service).call(.execList, ExecListRequest(), id: 3)
            }
            let begin = SystemClocks().now
            guesser.close()
            try waitForConnections(service, atMost: 0)
            #expect(SystemClocks().now - begin < .seconds(8))
            #expect(service.server.context.heldAnswerCount == 0)
        }
    }

    @Test("have so many answers held back; the next one is told at once, and closed")
    func heldAnswers() async throws {
        let lines = LogLines()
        try await Service.run(
            options: { ($0.wrongTokenDelay, $0.log) = (.seconds(10), lines.log()) }
        ) { service in
            let guessers = try (0..<HeldAnswers.ofNetworkMax).map { _ in
                let guesser = try RawClient(port: service.port)
                try guesser.open("Hello", wrong.encode(), id: 1)
                return guesser
            }
            while service.server.context.heldAnswerCount < guessers.count {
                _ = try RawClient(service).call(.execList, ExecListRequest(), id: 3)
            }
            let next = try RawClient(port: service.port)
            #expect(try next.call(.hello, wrong).status?.code == .unauthenticated)
            #expect(next.isClosed(withinMS: 10_000))
            // A right token beside them all is answered.
            _ = try RawClient(service)
            #expect(guessers.allSatisfy { !$0.isClosed(withinMS: 0) })
        }
    }

    @Test("write so many lines, and a number for the rest: in the log and in the audit log")
    func lines() async throws {
        let lines = LogLines()
        let directory = temporaryDirectory()
        defer { try? Files.removeTree(directory) }
        let audit = "\(directory)/audit"
        let attempts = 200
        try await Service.run(
            options: {
                ($0.wrongTokenDelay, $0.auditLogFile, $0.log) =
                    (.zero, audit, lines.log(.info))
            }
        ) { service in
            for number in 0..<attempts {
                let client = try RawClient(port: service.port)
                if number % 2 == 0 {
                    try client.write(Array("GET / HTTP/1.1\r\n\r\n".utf8))
                    _ = client.isClosed(withinMS: 10_000)
                } else {
                    #expect(throws: ExecError.self) {
                        let answer = try client.call(.hello, wrong)
                        if let failure = answer.status { throw failure }
                    }
                    client.close()
                }
            }
        }
        let told = lines.all.filter { $0.contains("wrong token") || $0.contains("not a ttrpc") }
        #expect((1...LimitedLog.ofNetworkMax).contains(told.count))
        let left = lines.all.filter { $0.contains("lines left out") }
        let counts = left.compactMap { line in
            line.split(separator: "\"").compactMap { Int($0) }.last
        }
        #expect(counts.reduce(told.count, +) == attempts, "\(left)")
        #expect(left.allSatisfy { $0.contains("from=\"loopback\"") })
        let text = String(decoding: try Files.readSmall(audit, max: 1 << 20), as: UTF8.self)
        #expect(text.split(separator: "\n").count <= LimitedLog.ofNetworkMax + left.count)
        #expect(text.contains("\"from\":\"loopback\",\"what\":\"left_out\",\"count\":\""))
    }

    @Test("hold no more than a few answers that they do not read")
    func unread() async throws {
        try await Service.run { service in
            let client = try RawClient(port: service.port)
            let call = CallRequest(method: "ExecList", payload: [])
            let one = try Frames.request(call, streamID: 3)
            var calls: [UInt8] = []
            while calls.count < 16 << 20 { calls += one }
            let rest = try client.writeSome(calls, withinMS: 500)
            let connection = try #require(service.server.context.allConnections.first)
            let held = try await withCheckedThrowingContinuation { continuation in
                connection.loop.execute {
                    continuation.resume(
                        returning: connection.outbox.count + connection.unheard.count
                    )
                }
            }
            #expect(!rest.isEmpty)
            #expect(held < 64 << 10)
        }
    }
}
