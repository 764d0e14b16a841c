import ExecClient
import ExecModel
import Testing

@Suite("The client's calls on execs and containers", .serialized, .timeLimit(.minutes(2)))
struct ExecClientControlTests {
    /// Lends a client and the session of a shell that has written `up`.
    private func withExec(
        _ script: String,
        before: String = ":",
        _ route: Route = .tcp,
        change: (inout Command) -> Void = { _ in },
        onDisconnect: OnDisconnect? = nil,
        _ body: (ExecClient, Session) async throws -> Void,
    ) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                var command = shell("\(before); echo up; \(script)")
                change(&command)
                let session = client.run(try key(), command, onDisconnect: onDisconnect)
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("up\n")
                try await body(client, session)
            }
        }
    }

    @Test("wait for an exit, for as long as asked", arguments: Route.allCases)
    func wait(_ route: Route) async throws {
        try await withExec("read line; exit 9", route, change: { $0.stdin = true }) {
            client,
            session in
            #expect(try await client.wait(try key(), timeoutMS: 0).exit == nil)
            #expect(try await client.waitForExit(try key(), timeout: .milliseconds(20)) == nil)
            async let exit = client.waitForExit(try key())
            try await session.send(Array("\n".utf8))
            let waited = try await exit
            let told = try #require(waited)
            #expect(told.code == 9)
            #expect(try await client.wait(try key(), timeoutMS: 0).exit == told)
        }
    }

    @Test("signal the whole group, and tell the signal")
    func signal() async throws {
        try await withExec("sleep 60") { client, session in
            let info = try await client.signal(try key(), SignalRequest(10))
            #expect(info.execID == "one")
            let exit = try #require(try await session.exit())
            #expect(exit.code == 138)
            #expect(exit.signal == 10)
            #expect(exit.reason == .signal)
        }
    }

    @Test("signal on the session's own way")
    func sessionSignal() async throws {
        try await withExec("exec sleep 60") { _, session in
            try await session.signal(SignalRequest(15))
            #expect(try await session.exit()?.code == 143)
        }
    }

    @Test("stop politely, and answer with the exit")
    func stop() async throws {
        try await withExec("while :; do sleep 0.1; done", before: "trap 'exit 4' TERM") {
            client,
            _ in
            let exit = try #require(try await client.stop(try key()).exit)
            #expect(exit.cause == .client)
            #expect(exit.code == 4)
            #expect(exit.reason == .natural)
        }
    }

    @Test("stop by SIGKILL what does not want to")
    func forcedKill() async throws {
        try await withExec("while :; do sleep 60; done", before: "trap '' TERM") {
            client,
            session in
            let exit = try #require(try await client.stop(try key(), graceMS: 20).exit)
            #expect(exit.code == 137)
            #expect(exit.reason == .forcedKill)
            #expect(exit.cause == .client)
            #expect(try await session.exit() == exit)
        }
    }

    @Test("list by container, label and state")
    func list() async throws {
        try await withExec("exec sleep 60", change: { $0.labels = ["job": "a"] }) { client, _ in
            try await client.run(try key("two"), shell("exit 3")).exit()
            try await client.run(try key("x", in: "other"), shell("exit 0")).exit()
            let all = try await client.list()
            #expect(!all.truncated)
            #expect(all.execs.map(\.execID) == ["x", "one", "two"])
            #expect(try await client.list(container: "test").execs.count == 2)
            #expect(try await client.list(labels: ["job": "a"]).execs.map(\.execID) == ["one"])
            #expect(try await client.list(labels: ["job": "b"]).execs.isEmpty)
            let running = try await client.list(runningOnly: true).execs
            #expect(running.map(\.execID) == ["one"])
            #expect(running.first?.state == .running)
            #expect(running.first?.viewers == 1)
            #expect(running.first?.stdoutBytes == 3)
            #expect(all.execs.last?.exit?.code == 3)
        }
    }

    @Test("forget an exec once it has exited, not before")
    func remove() async throws {
        try await withExec("exec sleep 60") { client, _ in
            let refused = try await failure { try await client.remove(try key()) }
            #expect(refused.code == .failedPrecondition)
            #expect(refused.message.contains("stop it first"))
            try await client.stop(try key())
            #expect(try await client.remove(try key()).exit?.code == 143)
            let gone = try await failure { _ = try await client.wait(try key(), timeoutMS: 0) }
            #expect(gone.code == .notFound)
            #expect(try await client.list().execs.isEmpty)
        }
    }

    @Test("sum up a container")
    func containerStatus() async throws {
        try await withExec("exec sleep 60") { client, _ in
            let running = try await client.containerStatus("test")
            #expect(running.state == .running)
            #expect(running.execs.map(\.execID) == ["one"])
            #expect(running.exit == nil)
            try await client.stop(try key())
            let exited = try await client.containerStatus("test")
            #expect([.exited, .stopped].contains(exited.state))
            #expect(exited.exit?.code == 143)
        }
    }

    @Test("signal a container")
    func container() async throws {
        try await withExec("exec sleep 60") { client, session in
            let answer = try await client.signal(container: "test", SignalRequest(9))
            #expect(answer.execs == 1)
            let exit = try await session.exit()
            #expect(exit?.code == 137)
        }
    }

    @Test("pause, resume and measure a container")
    func pause() async throws {
        try await withExec("exec sleep 60") { client, _ in
            let paused = try await client.pause(container: "test")
            #expect(paused.success)
            #expect(paused.execs == 1)
            #expect(try await client.containerStatus("test").state == .paused)
            let resumed = try await client.resume(container: "test")
            #expect(resumed.success)
            let again = try await failure { try await client.resume(container: "test") }
            #expect(again.code == .failedPrecondition)
            let status = try await client.containerStatus("test", usage: true)
            #expect(status.resourceUsage?.pids == 1)
        }
    }

    @Test("end an exec with its last viewer where its start said so")
    func onDisconnect() async throws {
        try await withExec("exec sleep 60", onDisconnect: OnDisconnect(stop: true)) {
            client,
            session in
            session.close()
            let exit = try #require(try await client.waitForExit(try key()))
            #expect(exit.cause == .disconnect)
            #expect(exit.code == 143)
        }
    }
}
