import ExecModel
import Kernel
import Testing
import Wire

@testable import ExecServer

@Suite("Starts per second", .timeLimit(.minutes(1)))
struct StartLimiterTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("are those that were allowed, and twice as many after a rest")
    func bucket() {
        var limiter = StartLimiter(perSecond: 10)
        let begin = 100 * Self.second
        #expect(limiter.count("a", at: begin) == 20)
        #expect(limiter.count("a", at: begin) == 0)
        #expect(limiter.count("b", at: begin) == 20)
        #expect(limiter.count("a", at: begin + Self.second / 10) == 1)
        #expect(limiter.count("a", at: begin + Self.second) == 9)
        #expect(limiter.count("a", at: begin + 1_000 * Self.second) == 20)
    }

    @Test("that are too many are told when to come again, and are right then")
    func retry() throws {
        var limiter = StartLimiter(perSecond: 4)
        _ = limiter.count("a", at: 0)
        let error = try #require(throws: ExecError.self) {
            try limiter.take("a", at: Instant(nanoseconds: 0))
        }
        #expect(error.code == .resourceExhausted)
        #expect(error.message.contains("retry in 250 ms"))
        #expect(limiter.count("a", at: 250_000_000) == 1)
    }

    @Test("are counted for so many clients; the rest of them share")
    func bounded() {
        var limiter = StartLimiter(perSecond: 10)
        for number in 0..<StartLimiter.clientsMax {
            #expect((try? limiter.take("c\(number)", at: Instant(nanoseconds: 0))) != nil)
        }
        #expect(limiter.count("x", at: 0) == 20)
        #expect(limiter.count("y", at: 0) == 0)
        #expect(limiter.clientCount <= StartLimiter.clientsMax + 1)
        // All are full again: they need no entry.
        #expect(limiter.count("y", at: 10 * Self.second) == 20)
        #expect(limiter.clientCount == 1)
    }

    @Test("over the limit are RESOURCE_EXHAUSTED; joins are not counted")
    func service() async throws {
        try await Service.run(options: { $0.startsPerSecondMax = 1 }) { service in
            let command = Command(["sleep", "60"])
            var refused = 0
            for number in 0..<4 {
                let client = try RawClient(service)
                let start = Start(containerID: "a", execID: "e\(number)", command: command)
                try client.start(start, id: 3)
                let response = try client.next()
                guard response.header.type == .response else { continue }
                let status = try CallResponse.decode(response.payload.span.bytes).status
                #expect(status?.code == .resourceExhausted)
                #expect(status?.message.contains("retry in") == true)
                refused += 1
            }
            // One more may have flowed in meanwhile.
            #expect((1...2).contains(refused))
            for _ in 0..<10 {
                let client = try RawClient(service)
                try client.start(
                    Start(containerID: "a", execID: "e0", command: command),
                    id: 3
                )
                #expect(try client.next().header.type == .data)
            }
        }
    }
}

extension StartLimiter {
    /// How many this client may start now.
    fileprivate mutating func count(_ client: String, at nanoseconds: UInt64) -> Int {
        var count = 0
        while (try? take(client, at: Instant(nanoseconds: nanoseconds))) != nil { count += 1 }
        return count
    }
}
