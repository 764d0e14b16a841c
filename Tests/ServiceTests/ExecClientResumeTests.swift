import ExecClient
import ExecCore
import ExecModel
import Testing

@Suite("A client whose connection breaks", .serialized, .timeLimit(.minutes(2)))
struct ExecClientResumeTests {
    /// Lends a client that reaches the server through a proxy, and one that reaches it directly.
    private func withProxy(
        limits: [Int] = [],
        options: ClientOptions = ClientOptions(),
        _ body: (CuttingProxy, _ client: ExecClient, _ direct: ExecClient) async throws -> Void,
    ) async throws {
        try await Service.run { service in
            let proxy = try CuttingProxy(to: service.port, limits: limits)
            defer { proxy.close() }
            let client = try ExecClient(
                address: proxy.address,
                token: service.token,
                options: options
            )
            defer { client.close() }
            try await service.withClient { try await body(proxy, client, $0) }
        }
    }

    /// No chunk is missing or doubled, and every byte is where it belongs.
    private func expectWhole(_ said: Account, _ expected: [UInt8]) throws {
        let exit = try #require(said.exit)
        #expect(said.readyCount == 1)
        #expect(said.chunks.map(\.sequence) == Array(1...exit.lastSequence))
        var offset: UInt64 = 0
        #expect(
            said.chunks.allSatisfy { chunk in
                defer { offset += UInt64(chunk.bytes.count) }
                return chunk.offset == offset
            }
        )
        #expect(said.bytes() == expected)
        #expect(exit.stdoutBytes == UInt64(expected.count))
    }

    @Test("loses and doubles nothing, wherever it breaks", arguments: [4 << 10, 100_000, 1 << 20])
    func midStream(_ windowBytes: UInt64) async throws {
        // In the middle of output, of a frame's header, of the Hello, of a chunk.
        let limits = [200_003, 3, 40, 300_001, 11, 400_007]
        var options = ClientOptions()
        options.windowBytes = windowBytes
        try await withProxy(limits: limits, options: options) { proxy, client, _ in
            let said = try await Account.of(client.run(try key(), shell("seq 1 200000; exit 5")))
            try expectWhole(said, Array((1...200_000).map { "\($0)\n" }.joined().utf8))
            #expect(said.exit?.code == 5)
            #expect(!said.resumptions.isEmpty)
            #expect(said.resumptions.allSatisfy { !$0.stdinUncertain })
            #expect(proxy.connections == limits.count + 1)
        }
    }

    @Test("goes on live after each break, and gets the exit that came meanwhile once")
    func live() async throws {
        try await withProxy { proxy, client, direct in
            let publisher = direct.publish(try key())
            try await publisher.write(Array("0\n".utf8), to: .stdout)
            _ = try await direct.list()
            let session = client.attach(try key())
            var iterator = session.events.makeAsyncIterator()
            try await iterator.output("0\n")
            for round in 1...5 {
                proxy.cut()
                try await publisher.write(Array("\(round)\n".utf8), to: .stdout)
                try await iterator.output("\(round)\n")
            }
            proxy.cut()
            let exit = try await publisher.finish(code: 3)
            let rest = try await iterator.rest()
            #expect(rest.exit == exit)
            #expect(rest.chunks.isEmpty)
        }
    }

    @Test("misses nothing of what comes while it is away, although it wanted nothing of the past")
    func tailOfNothing() async throws {
        try await withProxy { proxy, client, direct in
            let publisher = direct.publish(try key())
            try await publisher.write(Array("past\n".utf8), to: .stdout)
            _ = try await direct.list()
            var view = View()
            view.from = .tail(bytes: 0)
            let session = client.attach(try key(), view: view)
            var iterator = session.events.makeAsyncIterator()
            _ = try await iterator.next(isolation: nil)
            proxy.cut()
            try await publisher.write(Array("1\n".utf8), to: .stdout)
            try await iterator.output("1\n")
        }
    }

    @Test("never starts a command twice")
    func exactlyOnce() async throws {
        try await withProxy(limits: [250, 300, 350, 400, 450, 500]) { _, client, direct in
            let script = "echo $$; seq 1 10000"
            let said = try await Account.of(client.run(try key(), shell(script)))
            #expect(said.exit?.code == 0)
            #expect(said.text().hasSuffix("\n10000\n"))
            #expect(try await direct.list().execs.count == 1)
            let again = try await Account.of(direct.attach(try key()))
            #expect(again.text() == said.text())
        }
    }

    @Test("says once that stdin is uncertain, and goes on")
    func stdin() async throws {
        try await withProxy { proxy, client, _ in
            let session = client.run(try key(), shell("cat", stdin: true))
            var iterator = session.events.makeAsyncIterator()
            try await session.send(Array("a".utf8))
            try await iterator.output("a")
            proxy.cut()
            #expect(try await iterator.resumption().stdinUncertain)
            let error = try await failure { try await session.send(Array("lost".utf8)) }
            #expect(error.code == .aborted)
            try await session.send(Array("b".utf8))
            try await session.closeStdin()
            let rest = try await iterator.rest()
            #expect(rest.text() == "b")
            #expect(rest.exit?.stdoutBytes == 2)
        }
    }

    @Test("keeps a signal for when it is back")
    func signal() async throws {
        try await withProxy { proxy, client, _ in
            let session = client.run(try key(), shell("echo up; exec sleep 60"))
            var iterator = session.events.makeAsyncIterator()
            try await iterator.output("up\n")
            proxy.cut()
            _ = try await iterator.resumption()
            try await session.signal(SignalRequest(15))
            #expect(try await iterator.rest().exit?.code == 143)
        }
    }

    @Test("waits for an exit across breaks")
    func wait() async throws {
        try await withProxy { proxy, client, direct in
            let session = direct.run(try key(), shell("echo up; read line; exit 8", stdin: true))
            var iterator = session.events.makeAsyncIterator()
            try await iterator.output("up\n")
            async let exit = client.waitForExit(try key())
            // Hello, what is known now, and the wait; then a Hello and the wait on every connection.
            for count in [3, 5, 7] {
                await proxy.requests(count)
                proxy.cut()
            }
            await proxy.requests(9)
            try await session.send(Array("\n".utf8))
            let told = try await exit
            #expect(told?.code == 8)
        }
    }

    @Test("leaves no viewer behind on the server")
    func viewers() async throws {
        try await withProxy { proxy, client, direct in
            let events = direct.containerEvents("test")
            let session = client.run(try key(), shell("echo up; exec sleep 60"))
            var iterator = session.events.makeAsyncIterator()
            try await iterator.output("up\n")
            try await events.next(.attached)
            for _ in 1...3 {
                proxy.cut()
                _ = try await iterator.resumption()
                try await events.next(.detached)
            }
            #expect(try await direct.wait(try key(), timeoutMS: 0).viewers == 1)
            session.close()
            #expect(try await events.next(.detached).info.viewers == 0)
        }
    }

    @Test("gives up after the time it was given, and says so")
    func givesUp() async throws {
        var options = ClientOptions()
        options.resumeLimit = .milliseconds(200)
        try await withProxy(options: options) { proxy, client, _ in
            let session = client.run(try key(), shell("echo up; exec sleep 60"))
            var iterator = session.events.makeAsyncIterator()
            try await iterator.output("up\n")
            proxy.close()
            let error = try await failure { _ = try await iterator.rest() }
            #expect(error.code == .unavailable)
            #expect(error.message.contains("did not come back"))
        }
    }

    @Test("says that a server which came back does not know the exec any more")
    func anotherServer() async throws {
        try await Service.run { other in
            try await withProxy { proxy, client, _ in
                let session = client.run(try key(), shell("echo up; exec sleep 60"))
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("up\n")
                proxy.redirect(to: other.port)
                proxy.cut()
                let error = try await failure { _ = try await iterator.rest() }
                #expect(error.code == .notFound)
                #expect(error.message.contains("does not know the exec any more"))
                #expect(other.registry.instances().isEmpty)
            }
        }
    }
}
