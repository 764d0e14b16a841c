import ExecClient
import ExecModel
import Glibc
import Testing

@Suite("An exec on a terminal", .serialized, .timeLimit(.minutes(1)))
struct TerminalTests {
    /// Lends a client and the session of a script on a terminal.
    private func withTerminal(
        _ argv: [String],
        size: WindowSize = WindowSize(rows: 30, columns: 90),
        change: (inout Command) -> Void = { _ in },
        _ body: (ExecClient, Session, inout Session.Events.AsyncIterator) async throws -> Void,
    ) async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = Command(argv)
                command.terminal = Terminal(size: size)
                change(&command)
                let session = client.run(try key(), command)
                var iterator = session.events.makeAsyncIterator()
                try await body(client, session, &iterator)
            }
        }
    }

    /// What a script writes on a terminal, and its exit.
    private func run(
        _ script: String,
        size: WindowSize = WindowSize(rows: 30, columns: 90),
        change: (inout Command) -> Void = { _ in },
    ) async throws -> Account {
        var account = Account()
        try await withTerminal(["sh", "-c", script], size: size, change: change) { _, _, iterator in
            account = try await iterator.rest()
        }
        return account
    }

    @Test(
        "has the size of its start, and never none",
        arguments: [
            (WindowSize(rows: 50, columns: 132), WindowSize(rows: 50, columns: 132)),
            (WindowSize(rows: 0, columns: 0), WindowSize(rows: 24, columns: 80)),
            (WindowSize(rows: 7, columns: 0), WindowSize(rows: 7, columns: 80)),
            (WindowSize(rows: 0, columns: 65535), WindowSize(rows: 24, columns: 65535)),
        ]
    )
    func startSize(_ asked: WindowSize, _ expected: WindowSize) async throws {
        let said = try await run("stty size", size: asked)
        #expect(said.text() == "\(expected.rows) \(expected.columns)\r\n")
        #expect(said.ready?.info.tty == true)
        #expect(said.ready?.info.window == expected)
        #expect(said.exit?.code == 0)
        #expect(said.exit?.drained == true)
    }

    @Test("is its session's controlling terminal, with one stream for everything")
    func controllingTerminal() async throws {
        let said = try await run("tty; ps -o tty= -p $$; echo err >&2; echo here >/dev/tty")
        let lines = said.text().split(separator: "\r\n").map(String.init)
        try #require(lines.count == 4)
        #expect(lines[0].hasPrefix("/dev/pts/"))
        #expect("/dev/\(lines[1].filter { $0 != " " })" == lines[0])
        #expect(Array(lines[2...]) == ["err", "here"])
        #expect(said.bytes(.stderr).isEmpty)
    }

    @Test("has the name that its command's environment, its start or nobody gives it")
    func name() async throws {
        func name(_ change: (inout Command) -> Void) async throws -> String {
            try await run("echo $TERM", change: change).text()
        }
        #expect(try await name { _ in } == "xterm-256color\r\n")
        #expect(try await name { $0.clearEnvironment = true } == "xterm-256color\r\n")
        #expect(try await name { $0.terminal?.term = "vt100" } == "vt100\r\n")
        let both = try await name {
            $0.terminal?.term = "vt100"
            $0.environment["TERM"] = "dumb"
        }
        #expect(both == "dumb\r\n")
    }

    @Test("gives a shell its job control")
    func jobControl() async throws {
        try await withTerminal(["sh", "-i"], change: { $0.environment["PS1"] = "$ " }) {
            _,
            session,
            iterator in
            try await iterator.until("$ ")
            try await session.send(Array("sh -c 'echo up; exec sleep 60'\n".utf8))
            try await iterator.until("up\r\n")
            try await session.send([0x1A])
            try await iterator.until("Stopped")
            try await session.send(Array("bg; kill %1; wait; exit 5\n".utf8))
            let said = try await iterator.rest()
            #expect(!said.text().contains("job control turned off"))
            #expect(said.exit?.code == 5)
        }
    }

    @Test("interrupts the program in the foreground for ^C, and not the shell behind it")
    func interrupt() async throws {
        try await withTerminal(["sh", "-i"], change: { $0.environment["PS1"] = "$ " }) {
            _,
            session,
            iterator in
            try await iterator.until("$ ")
            try await session.send(Array("sh -c 'echo up; exec sleep 60'\n".utf8))
            try await iterator.until("up\r\n")
            try await session.send([0x03])
            try await iterator.until("$ ")
            try await session.send(Array("echo \"ended with $?\"; exit 6\n".utf8))
            let said = try await iterator.rest()
            #expect(said.text().hasSuffix("ended with 130\r\n"))
            #expect(said.exit?.code == 6)
        }
    }

    @Test("may be let go of by its program, and opened again")
    func reopened() async throws {
        // Long enough for somebody who believes in the first end to act on it.
        let script = "exec </dev/null >/dev/null 2>&1; sleep 0.3; echo back >/dev/tty; exit 5"
        let said = try await run(script)
        #expect(said.text() == "back\r\n")
        #expect(said.exit?.code == 5)
        #expect(said.exit?.drained == true)
    }

    @Test("belongs to the user that the command runs as", .enabled(if: geteuid() == 0))
    func user() async throws {
        let said = try await run("id -u; echo mine >$(tty)") { $0.user = "nobody" }
        #expect(said.text() == "65534\r\nmine\r\n")
        #expect(said.exit?.code == 0)
    }

    @Test("carries 1 MiB of any bytes unchanged in raw mode")
    func output() async throws {
        let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
        try await Service.run { service in
            let path = "\(service.directory)/bytes"
            try write(bytes, to: path)
            try await service.withClient { client in
                var command = shell("stty raw -echo; cat \(path)")
                command.terminal = Terminal(size: .standard)
                let said = try await Account.of(client.run(try key(), command))
                #expect(said.bytes() == bytes)
                #expect(said.exit?.stdoutBytes == UInt64(bytes.count))
                #expect(said.exit?.drained == true)
            }
        }
    }

    @Test("takes 1 MiB of input unchanged in raw mode, though its program is slow to read")
    func input() async throws {
        let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
        let script = "stty raw -echo; printf up; sleep 0.2; exec head -c \(bytes.count)"
        try await withTerminal(["sh", "-c", script]) { _, session, iterator in
            try await iterator.until("up")
            async let sent: Void = session.send(bytes)
            let said = try await iterator.rest()
            try await sent
            #expect(said.bytes() == bytes)
            #expect(said.exit?.code == 0)
        }
    }

    @Test("leaves no descriptor behind, whether its command ran or not", arguments: ["", "no-"])
    func descriptors(_ prefix: String) async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = Command(["\(prefix)true"])
                command.terminal = Terminal(size: .standard)
                let exit = try await client.run(try key(), command).exit()
                #expect(exit?.code == (prefix.isEmpty ? 0 : 127))
                #expect(openTerminals().isEmpty)
            }
        }
    }
}

/// What this process has open of terminals that it made.
private func openTerminals() -> [String] {
    (0..<4096).compactMap { number in
        var target = [UInt8](repeating: 0, count: 64)
        let count = readlink("/proc/self/fd/\(number)", &target, target.count)
        guard count > 0 else { return nil }
        let path = String(decoding: target[..<count], as: UTF8.self)
        return path.hasSuffix("/ptmx") ? path : nil
    }
}

private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
}
