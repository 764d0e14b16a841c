import Glibc
import Kernel
import Testing

/// What the server is to the system it runs on.
enum Standing: CaseIterable, Sendable {
    /// As it is started: here, mostly as root.
    case plain
    /// The first process of a container.
    case firstProcess
    /// Somebody without any right to cgroups.
    case ordinaryUser

    /// What starts a server that stands so.
    fileprivate var wrapper: [String] {
        switch self {
        case .plain: []
        case .firstProcess: ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc"]
        case .ordinaryUser:
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        }
    }
}

@Suite(
    "execstream serve, whatever it is to its system",
    .serialized,
    .timeLimit(.minutes(2)),
    .enabled(if: geteuid() == 0, "only root can make a server stand otherwise")
)
struct StandingTests {
    private func run(_ standing: Standing, _ body: (House, _ pid: Int32) async throws -> Void)
        async throws
    {
        try await House.withoutServer { house in
            let state = "\(house.directory)/execstream"
            try Files.makeDirectories(state, permissions: 0o700)
            if standing == .ordinaryUser {
                #expect(chmod(house.directory, 0o711) == 0)
                #expect(chown(state, 65_534, 65_534) == 0)
            }
            try await house.serve(["--drain", "500ms"], in: standing.wrapper)
            if standing == .ordinaryUser { try house.giveToken() }
            let server = try house.server
            // `unshare` waits for it; `setpriv` becomes it.
            let child = ProcessTable.snapshot().processes.first { $0.parent == server.pid }
            let pid = standing == .firstProcess ? try #require(child).pid : server.pid
            try await body(house, pid)
            kill(pid, SIGTERM)
            let said = try await server.end()
            #expect(said.code == 0, "\(said.stderr)")
        }
    }

    /// Waits, for ten seconds at most, until `isSo`.
    private func eventually(_ isSo: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if isSo() { return true }
            await Task.yield()
        }
        return false
    }

    /// Processes whose command line holds `mark`.
    private func living(_ mark: String) -> Bool {
        ProcessTable.snapshot().processes.contains { process in
            let line = try? Files.readSmall("/proc/\(process.pid)/cmdline", max: 1 << 16)
            return String(decoding: line ?? [], as: UTF8.self).contains(mark)
        }
    }

    @Test("tells codes as they are", arguments: Standing.allCases)
    func codes(standing: Standing) async throws {
        try await run(standing) { house, _ in
            for code in [0, 1, 7, 255] {
                let said = try await house.run("run", "sh", "-c", "exit \(code)")
                #expect(said.code == Int32(code))
            }
            let killed = try await house.run("run", "sh", "-c", "kill -KILL $$")
            #expect(killed.code == 137)
        }
    }

    @Test("ends what does not end by itself, and names who holds on", arguments: Standing.allCases)
    func ends(standing: Standing) async throws {
        try await run(standing) { house, _ in
            let polite = try await house.run("run", "--timeout", "200ms", "sleep", "60")
            #expect(polite.code == 143)
            let deaf = "trap '' TERM; while :; do sleep 0.05; done"
            let forced = try await house.run(
                "run",
                "--timeout",
                "1s",
                "--grace",
                "200ms",
                "sh",
                "-c",
                deaf
            )
            #expect(forced.code == 137)
            let held = try await house.run(
                "run",
                "--drain",
                "200ms",
                "sh",
                "-c",
                "sleep 60 & echo $!"
            )
            #expect(held.code == 0)
            let holder = held.stdout.split(separator: "\n").first ?? ""
            #expect(held.stderr.contains("output was still held open"))
            // In a PID namespace of its own the holder has two numbers, and we see the inner one.
            #expect(held.stderr.contains("left process \(holder) behind"), "\(held.stderr)")
            guard standing == .ordinaryUser else { return }
            let limited = try await house.run("run", "--memory", "64M", "true")
            #expect(limited.code == 125)
            #expect(limited.lines.count == 1 && limited.stderr.contains("memory"))
        }
    }

    @Test("collects the orphans of its execs", arguments: Standing.allCases)
    func orphans(standing: Standing) async throws {
        try await run(standing) { house, pid in
            // Each orphan outlives its parents, and ends when the exec's own process has said so.
            let gate = "\(house.directory)/gate"
            #expect(mkfifo(gate, 0o666) == 0)
            chmod(gate, 0o666)
            let script =
                "for i in 1 2 3; do (setsid sh -c 'read x < \(gate)' > /dev/null 2>&1 &); done"
            let said = try await house.run("run", "sh", "-c", script)
            #expect(said.code == 0)
            func orphans(ended: Bool) -> Int {
                ProcessTable.snapshot().processes.count { $0.parent == pid && $0.hasEnded == ended }
            }
            #expect(await eventually { orphans(ended: false) == 3 })
            let writer = Glibc.open(gate, O_RDWR | O_NONBLOCK)
            #expect(write(writer, "a\nb\nc\n", 6) == 6)
            #expect(await eventually { orphans(ended: false) == 0 && orphans(ended: true) == 0 })
            close(writer)
        }
    }

    @Test("leaves nothing of what it stops, wherever that has gone", arguments: Standing.allCases)
    func stop(standing: Standing) async throws {
        try await run(standing) { house, _ in
            let time = "30\(Int.random(in: 1_000_000...9_999_999))"
            let script = "setsid sleep \(time) & (setsid sleep \(time) &); echo up; sleep \(time)"
            let run = try house.start(["run", "-e", "a", "sh", "-c", script])
            try await run.prints("up\n")
            let stopped = try await house.run("stop", "local/a")
            #expect(stopped.code == 0, "\(stopped.stderr)")
            #expect(try await run.end().code == 143)
            #expect(!living(time))
        }
    }

    @Test("leaves nothing when it ends", arguments: Standing.allCases)
    func shutdown(standing: Standing) async throws {
        let time = "30\(Int.random(in: 1_000_000...9_999_999))"
        try await run(standing) { house, _ in
            // One that runs, and one that has exited and left somebody behind.
            let script = "(setsid sleep \(time) > /dev/null 2>&1 &)"
            #expect(try await house.run("run", "sh", "-c", script).code == 0)
            let said = try await house.run("run", "-d", "sh", "-c", "setsid sleep \(time)")
            #expect(said.code == 0)
            #expect(await eventually { living(time) })
        }
        #expect(!living(time))
    }

    @Test("is killed, and the next one ends what it had left running")
    func killed() async throws {
        try await House.withoutServer { house in
            let time = "30\(Int.random(in: 1_000_000...9_999_999))"
            try await house.serve()
            let said = try await house.run("run", "-d", "sh", "-c", "setsid sleep \(time)")
            #expect(said.code == 0)
            #expect(await eventually { living(time) })
            try house.server.signal(SIGKILL)
            #expect(try await house.server.end().code == 137)
            #expect(living(time))
            try await house.serve()
            #expect(!living(time))
            let next = try house.server
            #expect(next.view.stderr.contains("ended what an earlier server had left"))
        }
    }

    @Test("pauses and resumes", arguments: Standing.allCases)
    func pause(standing: Standing) async throws {
        try await run(standing) { house, _ in
            let run = try house.start(["run", "sh", "-c", "while :; do echo x; sleep 0.02; done"])
            try await run.prints("x\n")
            let paused = try await house.run("pause", "local")
            #expect(paused.code == 0, "\(paused.stderr)")
            let how = standing == .ordinaryUser ? "SIGSTOP to 1 group" : "froze 1 cgroup"
            #expect(paused.stdout == "local: \(how)\n")
            #expect(try await house.run("ps").stdout.contains("paused"))
            let resumed = try await house.run("resume", "local")
            #expect(resumed.code == 0, "\(resumed.stderr)")
            run.signal(SIGTERM)
            #expect(try await run.end().code == 143)
        }
    }
}
