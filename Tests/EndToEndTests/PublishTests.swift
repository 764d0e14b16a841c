import Glibc
import Testing

@Suite("execstream publish, as a program", .serialized, .timeLimit(.minutes(2)))
struct PublishTests {
    @Test("passes stdin through, and viewers see it")
    func stdin() async throws {
        try await House.run { house in
            let publisher = try house.start(["publish", "ci/42", "--label", "a=b"], input: nil)
            publisher.write("one\n")
            try await publisher.prints("one\n")
            // It has been passed through before it is sent: the exec is there a moment later.
            let viewer = try await house.attachOnceThere("ci/42")
            try await viewer.prints("one\n")
            publisher.write("two\n", andClose: true)
            let said = try await publisher.end()
            #expect(said.stdout == "one\ntwo\n")
            #expect(said.code == 0)
            let seen = try await viewer.end()
            #expect(seen.stdout == "one\ntwo\n")
            #expect(seen.code == 0)
        }
    }

    @Test("ends with its command's code, both streams told apart on both sides")
    func command() async throws {
        try await House.run { house in
            let script = "echo out; echo err >&2; exit 3"
            let said = try await house.run("publish", "ci/42", "--", "sh", "-c", script)
            #expect(said.stdout == "out\n")
            #expect(said.stderr == "err\n")
            #expect(said.code == 3)
            let attached = try await house.run("attach", "ci/42")
            #expect(attached.stdout == "out\n")
            #expect(attached.stderr == "err\n")
            #expect(attached.code == 3)
        }
    }

    @Test("publishes all of a lot of output")
    func bulk() async throws {
        try await House.run { house in
            let said = try await house.run("publish", "ci/42", "--", "seq", "1", "300000")
            #expect(said.out.count == 1_988_895)
            #expect(said.code == 0)
            #expect(try await house.run("logs", "ci/42").out == said.out)
        }
    }

    @Test("tells a command that is not there, and one that a signal killed")
    func badEnds() async throws {
        try await House.run { house in
            let missing = try await house.run("publish", "ci/1", "--", "no-such-command")
            #expect(missing.code == 127)
            #expect(missing.lines.count == 1 && missing.stderr.contains("no-such-command"))
            #expect(try await house.run("wait", "ci/1").code == 127)
            let killed = try await house.run("publish", "ci/2", "--", "sh", "-c", "kill -9 $$")
            #expect(killed.code == 137)
            #expect(try await house.run("wait", "ci/2").code == 137)
        }
    }

    @Test("that is killed is a RUNTIME_ERROR for its viewers, who say why")
    func killed() async throws {
        try await House.run { house in
            let publisher = try house.start(["publish", "ci/42"], input: nil)
            publisher.write("half")
            let viewer = try await house.attachOnceThere("ci/42")
            try await viewer.prints("half")
            publisher.signal(SIGKILL)
            let seen = try await viewer.end()
            #expect(seen.code == 255)
            #expect(seen.stdout == "half")
            #expect(seen.lines.count == 1)
            #expect(seen.stderr.contains("publisher"))
        }
    }

    @Test("passes signals on to its command", arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    func signal(_ number: Int32) async throws {
        try await House.run { house in
            let script =
                "trap 'echo got it; exit 9' INT TERM HUP QUIT; echo up; while :; do sleep 0.1; done"
            let child = try house.start(["publish", "ci/42", "--", "sh", "-c", script])
            try await child.prints("up\n")
            child.signal(number)
            let said = try await child.end()
            #expect(said.code == 9)
            #expect(said.stdout == "up\ngot it\n")
            #expect(try await house.run("wait", "ci/42").code == 9)
        }
    }

    @Test("is ended by a signal where its command has ended and the server is silent")
    func silentServer() async throws {
        try await House.run { house in
            let script = "echo up; exec sleep 60"
            try house.server.signal(SIGSTOP)
            let child = try house.start(["publish", "ci/42", "--", "sh", "-c", script])
            try await child.prints("up\n")
            #expect(try await child.signalUntilEnd(SIGTERM).code == 128 + SIGTERM)
            try house.server.signal(SIGCONT)
        }
    }

    @Test("passes everything through without a server, and ends with 125")
    func noServer() async throws {
        try await House.withoutServer { house in
            let said = try await house.run(
                "publish",
                "ci/42",
                "--address",
                "tcp:127.0.0.1:1",
                "--",
                "seq",
                "1",
                "100"
            )
            #expect(said.out.count == 292)
            #expect(said.code == 125)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains("execstream serve"))
        }
    }
}

extension House {
    /// Attaches to an exec that is about to be registered.
    func attachOnceThere(_ key: String) async throws -> Child {
        while try await run("wait", key, "--timeout", "0s").code != 124 {
            try Task.checkCancellation()
        }
        return try start(["attach", key])
    }
}
