import ExecClient
import ExecModel
import Testing

@Suite("The client, against the real server", .serialized, .timeLimit(.minutes(2)))
struct ExecClientTests {
    @Test("tells a run in order: ready, output, exit", arguments: Route.allCases)
    func run(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let script = "echo out; echo err >&2; exit 7"
                let said = try await Account.of(client.run(try key(), shell(script)))
                let ready = try #require(said.ready)
                #expect(!ready.joined)
                #expect(ready.info.execID == "one")
                #expect(said.readyCount == 1)
                #expect(said.text(.stdout) == "out\n")
                #expect(said.text(.stderr) == "err\n")
                let exit = try #require(said.exit)
                #expect(exit.code == 7)
                #expect(exit.reason == .natural)
                #expect(exit.stdoutBytes == 4)
                #expect(exit.stderrBytes == 4)
                #expect(said.chunks.map(\.sequence) == Array(1...exit.lastSequence))
            }
        }
    }

    @Test("tells what the server is", arguments: Route.allCases)
    func server(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let server = try await client.server()
                #expect(server.name.hasPrefix("execstream/"))
                #expect(server.protocolVersion == 1)
                #expect(server.chunkBytesMax == 64 << 10)
                #expect(server.features.contains("publish"))
            }
        }
    }

    @Test("tells a command that is not there as 127, with the reason")
    func notFound() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), Command(["no-such-command"]))
                let exit = try #require(try await session.exit())
                #expect(exit.code == 127)
                #expect(exit.reason == .startFailed)
                #expect(exit.message.contains("no-such-command"))
            }
        }
    }

    @Test("sends stdin and its end", arguments: Route.allCases)
    func stdin(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                var command = Command(["sort"])
                command.stdin = true
                let session = client.run(try key(), command)
                try await session.send(Array("pear\nfig\n".utf8))
                try await session.send(Array("apple\n".utf8))
                try await session.closeStdin()
                let said = try await Account.of(session)
                #expect(said.text() == "apple\nfig\npear\n")
                #expect(said.exit?.code == 0)
                let error = try await failure { try await session.send([1]) }
                #expect(error.code == .failedPrecondition)
            }
        }
    }

    @Test("moves 8 MiB through stdin and stdout unchanged, within the credit")
    func bulk() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = Command(["cat"])
                command.stdin = true
                let session = client.run(try key(), command)
                let data = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
                async let sending: Void = {
                    try await session.send(data)
                    try await session.closeStdin()
                }()
                let said = try await Account.of(session)
                try await sending
                #expect(said.bytes() == data)
                #expect(said.exit?.stdoutBytes == UInt64(data.count))
            }
        }
    }

    @Test("joins an exec that exists, and shows it to a late viewer from its first byte")
    func joining() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let first = try await Account.of(client.run(try key(), shell("echo $$")))
                let again = try await Account.of(client.run(try key(), shell("echo $$")))
                #expect(again.ready?.joined == true)
                #expect(again.text() == first.text())
                #expect(again.exit == first.exit)
                let late = try await Account.of(client.attach(try key()))
                #expect(late.text() == first.text())
                #expect(late.chunks.allSatisfy { $0.replay })
                #expect(late.exit == first.exit)
            }
        }
    }

    @Test("gives every viewer every byte, and the same exit")
    func viewers() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = shell("read line; seq 1 20000; exit 3")
                command.stdin = true
                let runner = client.run(try key(), command)
                var iterator = runner.events.makeAsyncIterator()
                _ = try await iterator.next(isolation: nil)
                let (one, two) = (client.attach(try key()), client.attach(try key()))
                async let first = Account.of(one)
                async let second = Account.of(two)
                try await runner.send(Array("go\n".utf8))
                let said = try await iterator.rest()
                #expect(said.exit?.code == 3)
                for account in [try await first, try await second] {
                    #expect(account.bytes() == said.bytes())
                    #expect(account.exit == said.exit)
                }
            }
        }
    }

    @Test("ends a view that does not follow after what is logged, without an exit")
    func noFollow() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), shell("echo one; exec sleep 60"))
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("one\n")
                var view = View()
                view.noFollow = true
                let said = try await Account.of(client.attach(try key(), view: view))
                #expect(said.text() == "one\n")
                #expect(said.exitCount == 0)
            }
        }
    }

    @Test("runs 200 at once on one connection, every code right")
    func many() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let codes = try await withThrowingTaskGroup(of: (Int, Int32?).self) { group in
                    for number in 0..<200 {
                        let session = client.run(try key("e\(number)"), shell("exit \(number)"))
                        group.addTask { (number, try await session.exit()?.code) }
                    }
                    return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                }
                for number in 0..<200 { #expect(codes[number] == Int32(number)) }
            }
        }
    }
}
