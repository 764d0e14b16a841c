import Glibc
import Testing

@Suite("execstream run, as a program", .serialized, .timeLimit(.minutes(2)))
struct RunTests {
    @Test("keeps the streams apart, and ends with the code")
    func streams() async throws {
        try await House.run { house in
            let said = try await house.run(
                "run",
                "--",
                "sh",
                "-c",
                "echo out; echo err >&2; exit 7"
            )
            #expect(said.stdout == "out\n")
            #expect(said.stderr == "err\n")
            #expect(said.code == 7)
        }
    }

    @Test("ends with 127 and one line where there is no such command")
    func notFound() async throws {
        try await House.run { house in
            let said = try await house.run("run", "no-such-command")
            #expect(said.code == 127)
            #expect(said.stdout.isEmpty)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains("no-such-command"))
        }
    }

    @Test("ends with 126 and one line where the command can't be run")
    func notExecutable() async throws {
        try await House.run { house in
            let said = try await house.run("run", "/etc/passwd")
            #expect(said.code == 126)
            #expect(said.lines.count == 1)
        }
    }

    @Test(
        "ends so also where it is detached",
        arguments: ["no-such-command": 127, "/etc/passwd": 126]
    )
    func notStarted(_ command: String, _ code: Int32) async throws {
        try await House.run { house in
            let said = try await house.run("run", "-d", command)
            #expect(said.code == code)
            #expect(said.stdout.isEmpty)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains(command))
            let told = try await house.run("run", "-d", "--json", command)
            #expect(told.code == code)
            #expect(told.stdout.contains("start_failed"))
        }
    }

    @Test("keeps to its limits, or says which it can't keep")
    func limits() async throws {
        try await House.run { house in
            let files = try await house.run("run", "--open-files", "33", "sh", "-c", "ulimit -n")
            #expect(files.stdout == "33\n")
            let wrong = try await house.run("run", "--cpus", "many", "true")
            #expect(wrong.code == 2)
            let limited = try await house.run("run", "--memory", "1G", "--cpus", "0.5", "true")
            // As this machine has it.
            if limited.code == 125 {
                #expect(limited.stderr.contains("cgroup"))
                #expect(limited.lines.count == 1)
            } else {
                #expect(limited.code == 0)
            }
        }
    }

    @Test("ends with 0 two hundred times in a row")
    func inARow() async throws {
        try await House.run { house in
            for _ in 1...200 {
                let said = try await house.run("run", "--", "true")
                #expect(said.code == 0, "\(said.stderr)")
                #expect(said.stderr.isEmpty)
            }
            let listed = try await house.run("ps", "-a", "--json").stdout
            let execs = try lines(listed, of: ExecLine.self)
            #expect(execs.count == 200)
        }
    }

    @Test("ends with each one's own code and output, fifty at once")
    func atOnce() async throws {
        try await House.run { house in
            let children = try (1...50).map { number in
                try house.start(["run", "--", "sh", "-c", "echo \(number); exit \(number)"])
            }
            for (index, child) in children.enumerated() {
                let said = try await child.end()
                #expect(said.code == Int32(index + 1), "\(said.stderr)")
                #expect(said.stdout == "\(index + 1)\n")
            }
        }
    }

    @Test("sends stdin with -i, and not without")
    func stdin() async throws {
        try await House.run { house in
            let sorted = try await house.run("run", "-i", "sort", input: "b\nc\na\n")
            #expect(sorted.stdout == "a\nb\nc\n")
            #expect(sorted.code == 0)
            let without = try await house.run("run", "cat", input: "x")
            #expect(without.stdout.isEmpty)
            #expect(without.code == 0)
        }
    }

    @Test("moves 4 MB through stdin and stdout, all of it")
    func bulk() async throws {
        try await House.run { house in
            let text = (1...550_000).map { "\($0)\n" }.joined()
            let said = try await house.run("run", "-i", "cat", input: text)
            #expect(said.stdout == text)
            #expect(said.code == 0)
        }
    }

    @Test("does not lose the output of a command that ends at once")
    func short() async throws {
        try await House.run { house in
            for _ in 1...20 {
                let said = try await house.run("run", "seq", "1", "20000")
                #expect(said.out.count == 108_894)
                #expect(said.code == 0)
            }
        }
    }

    @Test("passes SIGINT and SIGTERM on", arguments: [SIGINT, SIGTERM])
    func signal(_ number: Int32) async throws {
        try await House.run { house in
            // Short ones: a signal may come just before the shell starts a sleep, and wait for it.
            let script = "trap 'echo got it; exit 9' INT TERM; echo up; while :; do sleep 0.1; done"
            let child = try house.start(["run", "sh", "-c", script])
            try await child.prints("up\n")
            child.signal(number)
            let said = try await child.end()
            #expect(said.code == 9)
            #expect(said.stdout == "up\ngot it\n")
        }
    }

    @Test("passes both of two signals on that come in one go")
    func twoSignals() async throws {
        try await House.run { house in
            let child = try house.start(["run", "sh", "-c", Self.heeding])
            try await child.prints("up\n")
            for number in [SIGSTOP, SIGINT, SIGTERM, SIGCONT] { child.signal(number) }
            let said = try await child.end()
            #expect(said.code == 9, "\(said.stderr)")
            #expect(said.stdout == "up\nint\nterm\n")
        }
    }

    @Test("leaves a signal ignored that it was started to ignore")
    func ignored() async throws {
        try await House.run { house in
            let script = "trap '' INT; exec \(try programPath()) run sh -c \"$0\""
            let child = try house.start(program: "/bin/sh", ["-c", script, Self.heeding])
            try await child.prints("up\n")
            for number in [SIGINT, SIGTERM] { child.signal(number) }
            let said = try await child.end()
            #expect(said.code == 9)
            #expect(said.stdout == "up\nterm\n")
        }
    }

    /// A script that says which signals come, until SIGTERM does.
    private static let heeding = """
        trap 'echo int' INT; trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.1; done
        """

    @Test("ends with 125 at a repeated signal where the server is silent")
    func silentServer() async throws {
        try await House.run { house in
            let child = try house.start(["run", "-e", "a", "sh", "-c", "echo up; exec sleep 60"])
            try await child.prints("up\n")
            try house.server.signal(SIGSTOP)
            let said = try await child.signalUntilEnd(SIGINT)
            #expect(said.code == 125)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains("execstream wait local/a"))
            try house.server.signal(SIGCONT)
        }
    }

    @Test("does without stdin, stdout and stderr")
    func closed() async throws {
        try await House.run { house in
            let program = try programPath()
            for (words, code) in [("run sh -c 'echo x; exit 3'", 3), ("nonsense", 2)] {
                let script = "\(program) \(words) 0<&- 1>&- 2>&-; echo $?"
                let said = try await house.start(program: "/bin/sh", ["-c", script]).end()
                #expect(said.stdout == "\(code)\n")
            }
        }
    }

    @Test("ends with 128 and the signal that killed the exec")
    func killed() async throws {
        try await House.run { house in
            let ended = try await house.run("run", "sh", "-c", "kill -9 $$")
            #expect(ended.code == 137)
        }
    }

    @Test("gives the exec its environment, directory, name and labels")
    func options() async throws {
        try await House.run { house in
            let said = try await house.run(
                "run",
                "-c",
                "ci",
                "-e",
                "42",
                "--env",
                "A=1 2",
                "-w",
                "/usr",
                "--label",
                "job=a",
                "sh",
                "-c",
                "echo \"$A\"; pwd"
            )
            #expect(said.stdout == "1 2\n/usr\n")
            let execs = try lines(
                await house.run("ps", "-a", "--json", "--label", "job=a").stdout,
                of: ExecLine.self
            )
            #expect(execs.map(\.container_id) == ["ci"])
            #expect(execs.map(\.exec_id) == ["42"])
            #expect(execs.first?.labels == ["job": "a"])
            let again = try await house.run("run", "-c", "ci", "-e", "42", "true")
            #expect(again.code == 125)
            #expect(again.stderr.contains("choose another name"))
            #expect(again.lines.count == 1)
        }
    }

    @Test("stops the exec after its timeout, and says so")
    func timeout() async throws {
        try await House.run { house in
            let said = try await house.run("run", "--timeout", "50ms", "sleep", "60")
            #expect(said.code == 143)
            #expect(said.stderr.contains("its timeout passed"))
            #expect(said.lines.count == 1)
        }
    }

    @Test("tells everything as JSON lines where asked")
    func json() async throws {
        try await House.run { house in
            let script = "printf 'a\"b'; printf '\\377' >&2; exit 4"
            let said = try await house.run("run", "--json", "sh", "-c", script)
            let events = try lines(said.stdout, of: SessionLine.self)
            #expect(events.first?.event == "ready")
            #expect(events.contains { $0.stream == "stdout" && $0.text == "a\"b" })
            #expect(events.contains { $0.stream == "stderr" && $0.base64 == "/w==" })
            #expect(events.last?.event == "exit")
            #expect(events.last?.code == 4)
            #expect(said.code == 4)
            #expect(said.stderr.isEmpty)
        }
    }

    @Test("ends without a word where its reader goes away")
    func readerGone() async throws {
        try await House.run { house in
            let program = try programPath()
            let script = "\(program) run seq 1 1000000 | head -n 1; echo ${PIPESTATUS[0]}"
            let said = try await house.start(program: "/bin/bash", ["-c", script]).end()
            #expect(said.stdout == "1\n125\n")
            #expect(said.stderr.isEmpty)
        }
    }

    @Test("detached: wait, attach and logs tell all of it later")
    func detached() async throws {
        try await House.run { house in
            let script = "echo out; echo err >&2; exit 5"
            let started = try await house.run(
                "run",
                "-d",
                "-c",
                "ci",
                "-e",
                "7",
                "sh",
                "-c",
                script
            )
            #expect(started.stdout == "ci/7\n")
            #expect(started.code == 0)
            #expect(try await house.run("wait", "ci/7").code == 5)
            for _ in 1...2 {
                let attached = try await house.run("attach", "ci/7")
                #expect(attached.stdout == "out\n")
                #expect(attached.stderr == "err\n")
                #expect(attached.code == 5)
            }
            let logs = try await house.run("logs", "ci/7")
            #expect(logs.stdout == "out\n")
            #expect(logs.stderr == "err\n")
            let waited = try await house.run("wait", "ci/7", "--json")
            #expect(try lines(waited.stdout, of: ExitLine.self).first?.reason == "natural")
        }
    }
}

extension Child.View {
    /// The lines on stderr.
    var lines: [Substring] {
        stderr.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }
}
