import Glibc
import Testing

@Suite("The other commands, as programs", .serialized, .timeLimit(.minutes(2)))
struct CommandTests {
    /// Lends a house where the exec `ci/1` has written `up` and does what `script` says.
    private func withExec(
        _ script: String = "exec sleep 60",
        _ options: [String] = [],
        _ body: (House, _ run: Child) async throws -> Void,
    ) async throws {
        try await House.run { house in
            let words = ["run", "-c", "ci", "-e", "1"] + options
            let run = try house.start(words + ["sh", "-c", "echo up; \(script)"], input: nil)
            try await run.prints("up\n")
            try await body(house, run)
        }
    }

    @Test("ps: a line that parses for every exec; a table for people")
    func ps() async throws {
        try await withExec { house, _ in
            _ = try await house.run("run", "-e", "done", "sh", "-c", "exit 3")
            let running = try lines(await house.run("ps", "--json").stdout, of: ExecLine.self)
            #expect(running.map(\.exec_id) == ["1"])
            #expect(running.first?.state == "running")
            #expect(running.first?.viewers == 1)
            #expect(running.first?.stdout_bytes == 3)
            #expect(running.first?.argv.first == "sh")
            let all = try lines(await house.run("ps", "-a", "--json").stdout, of: ExecLine.self)
            #expect(all.map(\.exec_id) == ["1", "done"])
            #expect(all.last?.exit?.code == 3)
            let ci = try await house.run("ps", "-a", "-c", "local", "--json")
            #expect(try lines(ci.stdout, of: ExecLine.self).map(\.exec_id) == ["done"])
            let table = try await house.run("ps", "-a").stdout.split(separator: "\n")
            #expect(table.count == 3)
            #expect(table.first?.hasPrefix("EXEC") == true)
            #expect(table.contains { $0.contains("ci/1") && $0.contains("running") })
            #expect(table.contains { $0.contains("local/done") && $0.contains("exited") })
        }
    }

    @Test("stop: returns when the exec has exited, and its viewers know")
    func stop() async throws {
        try await withExec { house, run in
            #expect(try await house.run("stop", "ci/1").code == 0)
            #expect(try await house.run("wait", "ci/1", "--timeout", "0s").code == 143)
            let said = try await run.end()
            #expect(said.code == 143)
            #expect(said.stderr.isEmpty)
        }
    }

    @Test(
        "signal: to an exec or a container, by name or number",
        arguments: [
            ["ci/1", "TERM"], ["ci/1", "SIGTERM"], ["ci/1", "15"], ["ci", "term"],
        ]
    )
    func signal(_ words: [String]) async throws {
        try await withExec { house, run in
            let said = try await house.start(["signal"] + words).end()
            #expect(said.code == 0)
            let ended = try await run.end()
            #expect(ended.code == 143)
        }
    }

    @Test("rm: only an exec that has exited")
    func remove() async throws {
        try await withExec { house, _ in
            let refused = try await house.run("rm", "ci/1")
            #expect(refused.code == 125)
            #expect(refused.lines.count == 1)
            #expect(refused.stderr.contains("stop it first"))
            _ = try await house.run("stop", "ci/1")
            #expect(try await house.run("rm", "ci/1").code == 0)
            let gone = try await house.run("attach", "ci/1")
            #expect(gone.code == 125)
            #expect(gone.lines.count == 1)
            #expect(gone.stderr.contains("execstream ps -a"))
        }
    }

    @Test("status: of a container, for people and programs")
    func status() async throws {
        try await withExec { house, _ in
            let text = try await house.run("status", "ci").stdout
            #expect(text.hasPrefix("ci: running\n"))
            #expect(text.contains("ci/1"))
            let json = try await house.run("status", "ci", "--json").stdout
            let status = try #require(try lines(json, of: StatusLine.self).first)
            #expect(status.status == "running")
            #expect(status.execs.map(\.exec_id) == ["1"])
            #expect(try await house.run("status", "nobody").code == 125)
            let usage = try await house.run("status", "ci", "--usage")
            #expect(usage.code == 0)
            #expect(usage.stdout.contains("\ncpu "))
            #expect(usage.stdout.contains(" processes\n"))
        }
    }

    @Test("pause and resume: say what was done, and what can't be")
    func pause() async throws {
        try await withExec { house, _ in
            let early = try await house.run("resume", "ci")
            #expect(early.code == 125)
            #expect(early.stderr == "execstream: nothing of container ci is paused\n")
            for command in ["pause", "resume"] {
                let said = try await house.run(command, "ci")
                #expect(said.code == 0)
                #expect(said.stdout.hasPrefix("ci: "))
                #expect(said.stdout.contains("1 "))
            }
            #expect(try await house.run("pause", "nobody").code == 125)
        }
    }

    @Test("events: as they happen, one object a line")
    func events() async throws {
        try await withExec("read line; exit 6", ["-i"]) { house, run in
            let child = try house.start(["events", "ci", "--json"])
            // Viewers come and go until the subscription stands.
            while !child.view.stdout.contains("attached") {
                _ = try await house.run("logs", "ci/1")
            }
            run.write("\n")
            #expect(try await run.end().code == 6)
            try await child.prints("\"exited\"")
            _ = try await house.run("rm", "ci/1")
            try await child.prints("\"unregistered\"")
            let events = try lines(child.view.stdout, of: EventLine.self)
            #expect(events.allSatisfy { $0.container_id == "ci" && $0.exec_id == "1" })
            #expect(events.first { $0.kind == "exited" }?.info.exit?.code == 6)
            #expect(events.last?.kind == "unregistered")
            child.signal(SIGINT)
            #expect(try await child.end().code == 130)
        }
    }

    @Test("attach: several at once, live, and with stdin from any of them")
    func attach() async throws {
        try await withExec("read a; echo $a; read b; echo $b; exit 2", ["-i"]) { house, run in
            let watcher = try house.start(["attach", "ci/1", "--read-only"])
            let writer = try house.start(["attach", "ci/1", "-i"], input: nil)
            try await watcher.prints("up\n")
            try await writer.prints("up\n")
            writer.write("one\n")
            try await run.prints("one\n")
            run.write("two\n")
            for child in [run, watcher, writer] {
                let said = try await child.end()
                #expect(said.stdout == "up\none\ntwo\n")
                #expect(said.code == 2)
            }
            #expect(try await house.run("attach", "ci/1", "--after", "1").stdout == "one\ntwo\n")
            #expect(try await house.run("logs", "ci/1", "--tail", "4").stdout == "two\n")
            let stamped = try await house.run("logs", "ci/1", "--timestamps").stdout
            #expect(stamped.split(separator: "\n").count == 3)
            #expect(stamped.hasSuffix(" two\n"))
        }
    }

    @Test("logs: of an exec that runs, what there is so far")
    func logs() async throws {
        try await withExec { house, _ in
            let said = try await house.run("logs", "ci/1")
            #expect(said.stdout == "up\n")
            #expect(said.code == 0)
        }
    }

    @Test("wait: ends with 124 when its timeout has passed")
    func waitTimeout() async throws {
        try await withExec { house, _ in
            let said = try await house.run("wait", "ci/1", "--timeout", "50ms")
            #expect(said.code == 124)
            #expect(said.lines.count == 1)
            #expect(try await house.run("wait", "ci/1", "--timeout", "0s").code == 124)
        }
    }

    @Test("attach: leaves the exec alone when it is interrupted")
    func interrupted() async throws {
        try await withExec { house, _ in
            let child = try house.start(["attach", "ci/1"])
            try await child.prints("up\n")
            child.signal(SIGINT)
            #expect(try await child.end().code == 130)
            #expect(try await house.run("wait", "ci/1", "--timeout", "0s").code == 124)
        }
    }
}
