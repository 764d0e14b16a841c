import ExecClient
import ExecModel
import Testing

@Suite("A client's cancelled and slow tasks", .serialized, .timeLimit(.minutes(2)))
struct ExecClientCancellationTests {
    @Test("leave a wait at once, the exec alone and the client usable", arguments: Route.allCases)
    func wait(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let session = client.run(try key(), shell("echo up; read line", stdin: true))
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("up\n")
                let waiter = Task { try await client.waitForExit(try key()) }
                _ = try await client.list()
                waiter.cancel()
                let error = try await failure { _ = try await waiter.value }
                #expect(error.code == .cancelled)
                #expect(try await client.wait(try key(), timeoutMS: 0).state == .running)
                try await session.send(Array("\n".utf8))
                #expect(try await iterator.rest().exit?.code == 0)
            }
        }
    }

    @Test("leave a session: no viewer is left, the exec goes on", arguments: Route.allCases)
    func session(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let events = client.containerEvents("test")
                let up = Flag()
                let viewer = Task {
                    let session = client.run(try key(), shell("echo up; exec sleep 60"))
                    for try await event in session.events {
                        if case .output = event { up.raise() }
                    }
                }
                await up.wait()
                viewer.cancel()
                let error = try await failure { try await viewer.value }
                #expect(error.code == .cancelled)
                #expect(try await events.next(.detached).info.viewers == 0)
                let info = try await client.wait(try key(), timeoutMS: 0)
                #expect(info.state == .running)
                #expect(info.viewers == 0)
                #expect(try await client.stop(try key()).exit?.code == 143)
                #expect(try await Account.of(client.attach(try key())).text() == "up\n")
            }
        }
    }

    @Test("leave a send that waits for credit, and the session goes on")
    func send() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let script = "echo up; read line; cat >/dev/null; echo done"
                let session = client.run(try key(), shell(script, stdin: true))
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("up\n")
                // More than the exec's pipe and the credit hold.
                let block = [UInt8](repeating: UInt8(ascii: "x"), count: 4 << 20)
                let sender = Task { try await session.send(block) }
                _ = try await client.list()
                sender.cancel()
                #expect(try await failure { try await sender.value }.code == .cancelled)
                try await session.send(Array("\n".utf8))
                try await session.closeStdin()
                #expect(try await iterator.rest().text() == "done\n")
            }
        }
    }

    @Test("detach every viewer when the client is closed or let go of")
    func lettingGo() async throws {
        try await Service.run { service in
            try await service.withClient { watcher in
                let events = watcher.containerEvents("test")
                _ = try await watcher.list()
                try await service.withClient { client in
                    let first = client.run(try key(), shell("exec sleep 60"))
                    var iterator = first.events.makeAsyncIterator()
                    _ = try await iterator.next(isolation: nil)
                    let second = client.attach(try key())
                    var other = second.events.makeAsyncIterator()
                    _ = try await other.next(isolation: nil)
                    #expect(try await client.wait(try key(), timeoutMS: 0).viewers == 2)
                }
                #expect(try await events.next(.detached).info.viewers == 1)
                #expect(try await events.next(.detached).info.viewers == 0)
            }
        }
    }

    @Test("do not stall another session of the same client")
    func slowConsumer() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let (took, goOn) = (Flag(), Flag())
                let size = 8 << 20
                let slow = Task {
                    let session = client.run(
                        try key("slow"),
                        Command(["head", "-c", "\(size)", "/dev/zero"])
                    )
                    var iterator = session.events.makeAsyncIterator()
                    var count = 0
                    while count == 0 {
                        if case .output(let chunk) = try await iterator.next(isolation: nil) {
                            count += chunk.bytes.count
                        }
                    }
                    took.raise()
                    await goOn.wait()
                    let rest = try await iterator.rest()
                    return (count + rest.bytes().count, rest.exit)
                }
                await took.wait()
                let fast = try await Account.of(client.run(try key("fast"), shell("seq 1 100000")))
                #expect(fast.exit?.code == 0)
                #expect(fast.bytes().count == 588_895)
                // The exec of the slow one has ended long since: no viewer holds it.
                #expect(try await client.waitForExit(try key("slow"))?.code == 0)
                goOn.raise()
                let (count, exit) = try await slow.value
                #expect(count == size)
                #expect(exit?.code == 0)
            }
        }
    }

    @Test("that drop what they are too slow for are told what", .timeLimit(.minutes(1)))
    func dropping() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let script = "echo up; read line; head -c 8000000 /dev/zero"
                let runner = client.run(try key(), shell(script, stdin: true))
                var run = runner.events.makeAsyncIterator()
                try await run.output("up\n")
                var view = View()
                view.slow = .drop
                view.windowBytes = 64 << 10
                let slow = client.attach(try key(), view: view)
                var iterator = slow.events.makeAsyncIterator()
                _ = try await iterator.next(isolation: nil)
                try await runner.send(Array("\n".utf8))
                #expect(try await run.rest().exit?.stdoutBytes == 8_000_003)
                let said = try await iterator.rest()
                let skipped = said.events.reduce(into: UInt64(0)) { sum, event in
                    if case .gap(let gap) = event { sum += gap.stdoutBytes }
                }
                #expect(skipped > 0)
                #expect(UInt64(said.bytes().count) + skipped == 8_000_003)
                #expect(said.exit?.code == 0)
            }
        }
    }
}
