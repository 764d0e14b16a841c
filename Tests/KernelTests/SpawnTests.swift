internal import Glibc
internal import Testing

@testable internal import Kernel

/// Both ways of making a process.
let methods: [SpawnMethod] = [.automatic, .fork]

/// What a program did.
struct Outcome {
    let pid: Int32
    let end: ProcessEnd
    let stdout: String
    let stderr: String
}

/// Runs a program to its end.
func outcome(
    of request: SpawnRequest,
    stdin: String = "",
    method: SpawnMethod = .automatic,
) async throws -> Outcome {
    var input = try Pipe.make()
    var output = try Pipe.make()
    var errors = try Pipe.make()
    let child = try start(
        request,
        stdin: input.takeReadEnd(),
        stdout: output.takeWriteEnd(),
        stderr: errors.takeWriteEnd(),
        method: method,
    )
    try input.takeWriteEnd().write(stdin)
    let stdout = try output.takeReadEnd().readToEnd()
    let stderr = try errors.takeReadEnd().readToEnd()
    let end = try await withLoop { try await $0.end(of: child) }
    return Outcome(pid: child.child.pid, end: end, stdout: stdout, stderr: stderr)
}

/// Starts a program with these descriptors, and closes ours.
func start(
    _ request: SpawnRequest,
    stdin: consuming Descriptor,
    stdout: consuming Descriptor,
    stderr: consuming Descriptor,
    method: SpawnMethod = .automatic,
) throws -> HeldChild {
    while true {
        do {
            return HeldChild(
                try Spawn.start(
                    request,
                    stdin: stdin,
                    stdout: stdout,
                    stderr: stderr,
                    method: method
                )
            )
        } catch {
            // A script that the test wrote: a process that another test is starting has a copy of
            // the descriptor that it was written with, for a moment.
            guard error.errno == Errno(ETXTBSY) else { throw error }
            sched_yield()
        }
    }
}

/// Starts a program with nothing to read, whose output nobody wants.
func start(_ request: SpawnRequest, method: SpawnMethod = .automatic) throws -> HeldChild {
    let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
    return try start(
        request,
        stdin: try null.duplicate(),
        stdout: try null.duplicate(),
        stderr: null,
        method: method
    )
}

func sh(_ script: String, _ arguments: String...) -> SpawnRequest {
    SpawnRequest(argv: ["/bin/sh", "-c", script, "sh"] + arguments)
}

@Suite(.timeLimit(.minutes(1))) struct SpawnTests {
    @Test(arguments: methods, [0, 1, 7, 126, 127, 255] as [Int32])
    func `tells the code that a program returned`(method: SpawnMethod, code: Int32) async throws {
        let end = try await outcome(of: sh("exit \(code)"), method: method).end
        #expect(end.code == code)
        #expect(end.signal == 0)
        #expect(!end.coreDumped)
        #expect(end.usage.maxRSSBytes > 100_000)
    }

    @Test(arguments: methods, [SIGKILL, SIGTERM, SIGHUP])
    func `tells the signal that killed a program`(method: SpawnMethod, signal: Int32) async throws {
        let end = try await outcome(of: sh("kill -\(signal) $$"), method: method).end
        #expect(end.code == nil)
        #expect(end.signal == signal)
    }

    @Test(arguments: methods) func `hands over arguments, environment and streams`(
        method: SpawnMethod,
    ) async throws {
        var request = sh("cat; echo \"$1|$2|$FOO|$#\"; echo trouble >&2", "a b", "ü\n")
        request.environment = ["FOO=bar=baz", "PATH=/usr/bin:/bin"]
        let outcome = try await outcome(of: request, stdin: "in ", method: method)
        #expect(outcome.stdout == "in a b|ü\n|bar=baz|2\n")
        #expect(outcome.stderr == "trouble\n")
        let environment = try await Self.output(
            of: SpawnRequest(argv: ["env"], environment: ["A=1"])
        )
        #expect(environment == "A=1\n")
    }

    @Test func `measures what a program consumed`() async throws {
        let busy = sh("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
        let usage = try await outcome(of: busy).end.usage
        #expect(usage.userUS > 1000)
        #expect(usage.userUS < 60_000_000)
    }

    @Test func `starts in the directory that is asked for`() async throws {
        let directory = try TemporaryDirectory()
        _ = try directory.file("tool", "#!/bin/sh\npwd -P", permissions: 0o700)
        // A relative program counts from there.
        var request = SpawnRequest(argv: ["./tool"], workingDirectory: directory.path)
        #expect(try await Self.output(of: request) == "\(directory.path)\n")
        request = SpawnRequest(
            argv: ["tool"],
            environment: ["PATH=/none:"],
            workingDirectory: directory.path
        )
        #expect(try await Self.output(of: request) == "\(directory.path)\n")
    }

    @Test(arguments: methods) func `gives every program a session of its own`(
        method: SpawnMethod,
    ) async throws {
        let outcome = try await outcome(
            of: SpawnRequest(argv: ["cat", "/proc/self/stat"]),
            method: method
        )
        // pid (comm) state ppid pgrp session tty
        let fields = outcome.stdout.split(separator: " ")
        #expect(fields[0] == "\(outcome.pid)")
        #expect(fields[3] == "\(getpid())")
        #expect(fields[4] == fields[0])
        #expect(fields[5] == fields[0])
        #expect(fields[6] == "0")
    }

    @Test(arguments: methods) func `gives a program default signals, whatever ours are`(
        method: SpawnMethod,
    ) async throws {
        signal(SIGUSR2, SIG_IGN)
        SignalSource.block([SIGUSR1])
        let status = try await Self.output(
            of: SpawnRequest(argv: ["cat", "/proc/self/status"]),
            method: method
        )
        let masks = status.split(separator: "\n").filter {
            $0.hasPrefix("Sig") && !$0.hasPrefix("SigQ")
        }
        #expect(
            masks == [
                "SigPnd:\t0000000000000000", "SigBlk:\t0000000000000000",
                "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000",
            ]
        )
    }

    @Test(arguments: methods) func `leaves the caller's signals as they were`(
        method: SpawnMethod,
    ) async throws {
        try await withLoop { loop in
            let same = try await loop.perform { () -> Bool in
                var (before, after) = (sigset_t(), sigset_t())
                pthread_sigmask(SIG_SETMASK, nil, &before)
                let child = try start(SpawnRequest(argv: ["true"]), method: method)
                pthread_sigmask(SIG_SETMASK, nil, &after)
                while try child.child.collect() == nil { sched_yield() }
                return (1...64).allSatisfy { sigismember(&before, $0) == sigismember(&after, $0) }
            }
            #expect(same)
        }
    }

    @Test(arguments: methods) func `gives a program no descriptor but three`(
        method: SpawnMethod,
    ) async throws {
        // One that would be inherited, and one far away.
        let stray = dup(1)
        let far = fcntl(1, F_DUPFD, 900)
        defer {
            close(stray)
            close(far)
        }
        let listing = try await Self.output(
            of: SpawnRequest(argv: ["ls", "/proc/self/fd"]),
            method: method
        )
        // 3 is what ls reads the directory with.
        #expect(listing == "0\n1\n2\n3\n")
    }

    @Test(arguments: methods) func `takes on the limits that are asked for`(
        method: SpawnMethod,
    ) async throws {
        var request = sh("ulimit -n; ulimit -c; ulimit -H -c")
        let files = UInt32(RLIMIT_NOFILE.rawValue)
        let core = UInt32(RLIMIT_CORE.rawValue)
        request.resourceLimits = [
            ResourceLimit(resource: files, soft: 64, hard: 128),
            ResourceLimit(resource: core, soft: 0, hard: 512),
        ]
        #expect(try await Self.output(of: request, method: method) == "64\n0\n1\n")
    }

    @Test(.enabled(if: getuid() == 0), arguments: methods)
    func `runs as another user`(method: SpawnMethod) async throws {
        var request = sh("id -u; id -g; id -G; grep CapEff /proc/self/status")
        request.user = UserIDs(uid: 4711, gid: 4712, groups: [4712, 4713])
        #expect(
            try await Self.output(of: request, method: method)
                == "4711\n4712\n4712 4713\nCapEff:\t0000000000000000\n"
        )
        #expect(getuid() == 0)
    }

    @Test(.enabled(if: getuid() == 0)) func `enters a directory that only the user may enter`()
        async throws
    {
        let directory = try TemporaryDirectory()
        #expect(chown(directory.path, 4711, 4711) == 0)
        var request = sh("pwd")
        request.user = UserIDs(uid: 4711, gid: 4711)
        request.workingDirectory = directory.path
        #expect(try await Self.output(of: request) == "\(directory.path)\n")
    }

    @Test(arguments: methods) func `makes stdin the controlling terminal where asked`(
        method: SpawnMethod,
    ) async throws {
        var ends = try Terminal.make()
        let master = ends.takeMaster()
        let inner = ends.takeInner()
        let (isTerminal, size) = (inner.isTerminal, try inner.windowSize)
        #expect(isTerminal && size == (24, 80))
        try master.setWindowSize(rows: 50, columns: 132)
        var request = sh("stty size; echo through the terminal >/dev/tty")
        request.controllingTerminal = true
        let child = HeldChild(
            try Spawn.start(request, stdin: inner, stdout: inner, stderr: inner, method: method)
        )
        inner.close()
        var text = ""
        do {
            while let more = try master.readText() { text += more }
        } catch  where error as? Errno == .inputOutput {
            // The end of a terminal.
        }
        #expect(text == "50 132\r\nthrough the terminal\r\n")
        #expect(try await withLoop { try await $0.end(of: child) }.code == 0)
        let failure = try #require(throws: SpawnFailure.self) {
            var request = request
            request.controllingTerminal = true
            _ = try start(request, method: method)
        }
        #expect(failure.step == .terminal)
        #expect(failure.exitCode == 126)
    }

    static func output(
        of request: SpawnRequest,
        method: SpawnMethod = .automatic,
    ) async throws -> String {
        let outcome = try await outcome(of: request, method: method)
        #expect(outcome.stderr == "")
        #expect(outcome.end.code == 0)
        return outcome.stdout
    }
}
