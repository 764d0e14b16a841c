import ExecClient
import ExecModel
import Glibc
import Testing
import Wire

@Suite("How a terminal, its input and its exec end", .serialized, .timeLimit(.minutes(1)))
struct TerminalEndTests {
    private func command(_ argv: [String]) -> Command {
        var command = Command(argv)
        command.terminal = Terminal(size: .standard)
        return command
    }

    /// Lends the session of a command on a terminal once it has written `text`.
    private func withTerminal(
        _ argv: [String],
        saying text: String,
        change: (inout Command) -> Void = { _ in },
        _ body: (ExecClient, Session, inout Session.Events.AsyncIterator) async throws -> Void,
    ) async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = command(argv)
                change(&command)
                let session = client.run(try key(), command)
                var iterator = session.events.makeAsyncIterator()
                try await iterator.until(text)
                try await body(client, session, &iterator)
            }
        }
    }

    @Test(
        "CloseStdin types the end of the input, in the middle of a line too",
        arguments: ["", "\n"]
    )
    func closeStdin(_ lineEnd: String) async throws {
        let script = "stty -echo; echo up; cat; echo \"ended with $?\""
        try await withTerminal(["sh", "-c", script], saying: "up\r\n") { _, session, iterator in
            try await session.send(Array("text\(lineEnd)".utf8))
            try await session.closeStdin()
            let said = try await iterator.rest()
            #expect(said.text() == "text\(lineEnd.isEmpty ? "" : "\r\n")ended with 0\r\n")
            #expect(said.exit?.message == "")
        }
    }

    @Test("After the end more can be typed")
    func goesOn() async throws {
        let script = "stty -echo; echo up; cat; echo first; cat; echo second"
        try await withTerminal(["sh", "-c", script], saying: "up\r\n") { _, session, iterator in
            try await session.send(Array("one\n".utf8))
            try await session.closeStdin()
            try await iterator.until("first\r\n")
            try await session.send(Array("two\n".utf8))
            try await session.closeStdin()
            #expect(try await iterator.rest().text() == "two\r\nsecond\r\n")
        }
    }

    @Test("The half-close of the last writer types it, that of another does not")
    func halfClose() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let script = "cat; echo after"
            let start = Start(
                containerID: "a",
                execID: "b",
                command: command(["sh", "-c", script])
            )
            try client.start(start, id: 3)
            try client.start(Start(containerID: "a", execID: "b"), id: 5)
            // In the order of their frames; the second is answered, so the first was heard.
            try client.sendEnd(id: 3)
            try client.send(SessionRequest.stdin(Array("x\n".utf8)), id: 5)
            try client.sendEnd(id: 5)
            let said = try client.session(3)
            #expect(said.text(.stdout) == "x\r\nx\r\nafter\r\n")
            #expect(said.exit?.code == 0)
        }
    }

    @Test(
        "A shell that ignores the stop signal is hung up",
        arguments: [["sh"], ["bash", "--norc"]]
    )
    func shell(_ argv: [String]) async throws {
        let environment = ["PS1": "> ", "HOME": "/nonexistent"]
        let change = { (command: inout Command) in command.environment = environment }
        try await withTerminal(argv + ["-i"], saying: "> ", change: change) {
            client,
            session,
            iterator in
            try await session.send(Array("sleep 60\n".utf8))
            try await iterator.until("sleep 60\r\n")
            try await client.stop(try key(), graceMS: 600_000)
            let exit = try #require(try await iterator.rest().exit)
            #expect(exit.cause == .client)
            #expect(exit.signal == SIGHUP || exit.code == 128 + SIGHUP)
            #expect(exit.drained)
        }
    }

    @Test("A program that heeds the stop signal is not hung up")
    func polite() async throws {
        let script = """
            trap 'echo hung up' HUP; trap 'sleep 0.2; echo bye; exit 4' TERM
            echo up; sleep 60 & wait
            """
        try await withTerminal(["sh", "-c", script], saying: "up\r\n") { client, _, iterator in
            try await client.stop(try key())
            let said = try await iterator.rest()
            #expect(said.text() == "bye\r\n")
            #expect(said.exit?.code == 4)
        }
    }

    @Test("A background process that holds the terminal is named, and does not keep the exit back")
    func holder() async throws {
        let script = "trap '' HUP; sleep 60 & echo $!"
        try await Service.run { service in
            try await service.withClient { client in
                var command = command(["sh", "-c", script])
                command.drainMS = 100
                let said = try await Account.of(client.run(try key(), command))
                let exit = try #require(said.exit)
                let holder = try #require(Int32(said.text().dropLast()))
                defer { kill(holder, SIGKILL) }
                #expect(exit.code == 0)
                #expect(!exit.drained)
                #expect(exit.holderPIDs == [holder])
            }
        }
    }

    @Test("One that does not is told of the end by the terminal, and holds nothing up")
    func hungUp() async throws {
        let script = "sleep 60 & echo up"
        try await Service.run { service in
            try await service.withClient { client in
                let said = try await Account.of(
                    client.run(try key(), command(["sh", "-c", script]))
                )
                #expect(said.text() == "up\r\n")
                #expect(said.exit?.drained == true)
            }
        }
    }
}
