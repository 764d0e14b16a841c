import Glibc
import Testing

@Suite("execstream serve, as a program", .serialized, .timeLimit(.minutes(2)))
struct ServeTests {
    @Test("says where it listens and that it is ready, and keeps its token to itself")
    func start() async throws {
        try await House.run { house in
            let (server, address) = (try house.server, try house.address)
            #expect(address.hasPrefix("tcp:127.0.0.1:"))
            #expect(address != "tcp:127.0.0.1:0")
            var status = stat()
            #expect(stat("\(house.directory)/execstream/token", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(server.view.stderr.hasSuffix("\nready\n"))
        }
    }

    @Test(
        "ends with 0 on SIGTERM or SIGINT, after every viewer has got its exit",
        arguments: [
            SIGTERM, SIGINT,
        ]
    )
    func shutdown(_ number: Int32) async throws {
        try await House.run { house in
            let runs = try (1...5).map { number in
                try house.start(["run", "-e", "e\(number)", "sh", "-c", "echo up; exec sleep 60"])
            }
            for run in runs { try await run.prints("up\n") }
            let viewer = try house.start(["attach", "local/e1"])
            try await viewer.prints("up\n")
            let server = try house.server
            server.signal(number)
            for child in runs + [viewer] {
                let said = try await child.end()
                #expect(said.code == 143, "\(said.stderr)")
                #expect(said.stdout == "up\n")
                #expect(said.lines.count == 1)
                #expect(said.stderr.contains("the server shuts down"))
            }
            let said = try await server.end()
            #expect(said.code == 0)
            #expect(said.stderr.split(separator: "\n").last == "ready")
        }
    }

    @Test("kills what is left on a second signal")
    func hurry() async throws {
        try await House.run(["--grace", "1h"]) { house in
            let script = "trap 'echo polite' TERM; echo up; while :; do sleep 60 & wait; done"
            let run = try house.start(["run", "sh", "-c", script])
            try await run.prints("up\n")
            let server = try house.server
            server.signal(SIGTERM)
            try await run.prints("polite\n")
            server.signal(SIGINT)
            #expect(try await run.end().code == 137)
            #expect(try await server.end().code == 0)
        }
    }

    @Test("keeps an exit for as long as its flags say: here at 4 s, and no more at 7 s")
    func retention() async throws {
        try await House.run(["--retention", "5s", "--sweep", "1s"]) { house in
            let clock = ContinuousClock()
            let said = try await house.run("run", "-c", "late", "-e", "one", "sh", "-c", "exit 9")
            #expect(said.code == 9)
            let ended = clock.now
            try await clock.sleep(until: ended + .seconds(4))
            #expect(try await house.run("wait", "late/one").code == 9)
            try await clock.sleep(until: ended + .seconds(7))
            let late = try await house.run("wait", "late/one")
            #expect(late.code == 125)
            #expect(late.lines.count == 1 && late.stderr.contains("there is no exec late/one"))
        }
    }

    @Test("refuses a state directory that another server has")
    func twice() async throws {
        try await House.run { house in
            let said = try await house.run(
                "serve",
                "--listen",
                "tcp:127.0.0.1:0",
                "--state",
                "\(house.directory)/execstream"
            )
            #expect(said.code == 125)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains(house.directory))
        }
    }

    @Test("on a Unix socket admits its own user without a token")
    func unixSocket() async throws {
        try await House.withoutServer { house in
            let address = "unix:\(house.directory)/s"
            let server = try house.start(
                ["serve", "--listen", address, "--state", "\(house.directory)/other"])
            try await server.wait { $0.stderr == "listening on \(address)\nready\n" }
            let said = try await house.run("run", "--address", address, "sh", "-c", "exit 3")
            #expect(said.code == 3)
            server.signal(SIGTERM)
            #expect(try await server.end().code == 0)
            #expect(access("\(house.directory)/s", F_OK) != 0)
        }
    }

    @Test("that was killed leaves its logs to the next one, and an exit that says so")
    func killed() async throws {
        try await House.run { house in
            // It ends with the server, which holds the other end of its stdin.
            let words = ["run", "-i", "-e", "1", "sh", "-c", "echo up; exec cat"]
            let viewer = try house.start(words, input: nil)
            try await viewer.prints("up\n")
            let server = try house.server
            server.signal(SIGKILL)
            #expect(try await server.end().code == 137)
            let port = try house.address
            try await house.serve(["--listen", port])
            let logs = try await house.run("logs", "local/1")
            #expect(logs.stdout == "up\n")
            let seen = try await viewer.end()
            #expect(seen.stdout == "up\n")
            #expect(seen.code == 255)
            #expect(seen.lines.count == 1)
            #expect(seen.stderr.contains("not recorded"))
        }
    }
}

@Suite("What the program says when it can't", .serialized, .timeLimit(.minutes(2)))
struct FailureTests {
    @Test(
        "wrong usage: 2, and one line that names the help",
        arguments: [
            ["nonsense"], ["run"], ["run", "--nonsense", "x"], ["attach"], ["attach", "a"],
            ["attach", "a/b", "c"], ["wait", "../x"], ["wait", "a/b", "--timeout", "5"],
            ["signal", "a/b", "NOPE"], ["run", "-c", "-x", "true"], ["run", "-d", "-i", "cat"],
            ["serve", "--sweep", "0s"], ["serve", "--tokens"], ["publish", "a/b", "--"],
            ["ps", "--label", "x"],
        ]
    )
    func usage(_ words: [String]) async throws {
        try await House.withoutServer { house in
            let said = try await house.start(words).end()
            #expect(said.code == 2)
            #expect(said.stdout.isEmpty)
            #expect(said.lines.count == 1, "\(said.stderr)")
            #expect(said.stderr.contains("see: execstream help"))
        }
    }

    @Test("no words at all: 2, and what there is")
    func nothing() async throws {
        try await House.withoutServer { house in
            let said = try await house.run()
            #expect(said.code == 2)
            #expect(said.stderr.contains("Usage: execstream COMMAND"))
            let help = try await house.run("help")
            #expect(help.code == 0)
            #expect(help.stdout.contains("publish"))
            #expect(try await house.run("run", "--help").stdout.hasPrefix("Usage: execstream run"))
            #expect(try await house.run("version").stdout.hasPrefix("execstream "))
        }
    }

    @Test(
        "no server: 125, and one line that says what to do",
        arguments: [
            ["run", "true"], ["run", "-d", "true"], ["attach", "a/b"], ["logs", "a/b"],
            ["wait", "a/b"],
            ["ps"], ["status", "a"], ["signal", "a/b", "TERM"], ["stop", "a/b"], ["pause", "a"],
            ["events"], ["publish", "a/b"], ["rm", "a/b"],
        ]
    )
    func noServer(_ words: [String]) async throws {
        try await House.withoutServer { house in
            let said = try await house.start(words).end()
            #expect(said.code == 125)
            #expect(said.stdout.isEmpty)
            #expect(said.lines.count == 1, "\(said.stderr)")
            #expect(said.stderr.contains("execstream serve"), "\(said.stderr)")
            #expect(said.stderr.contains("\(house.directory)/execstream/execstream.sock"))
        }
    }

    @Test("a wrong token: 125, and where the right one is")
    func wrongToken() async throws {
        try await House.run { house in
            let path = "\(house.directory)/execstream/token"
            #expect(try await house.run("ps", "--token-file", path).code == 0)
            for file in ["/etc/hostname", "/nonexistent"] {
                let said = try await house.run("ps", "--token-file", file)
                #expect(said.code == 125)
                #expect(said.lines.count == 1)
                #expect(said.stderr.contains("token"))
            }
        }
    }
}
