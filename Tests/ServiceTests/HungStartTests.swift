import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

/// A file system that answers nothing (FUSE, whose server this test is); whatever enters it hangs.
private final class HungFileSystem {
    let path: String
    private let device: Int32

    /// Nil: this machine has no such thing, or not for us.
    static func make() -> HungFileSystem? {
        let device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        guard device >= 0 else { return nil }
        let path = temporaryDirectory()
        let answer = "fd=\(device),rootmode=40000,user_id=0,group_id=0".withCString { options in
            mount("hung", path, "fuse", 0, options)
        }
        if answer == 0 { return HungFileSystem(path: path, device: device) }
        close(device)
        rmdir(path)
        return nil
    }

    private init(path: String, device: Int32) {
        self.path = path
        self.device = device
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        close(device)
        rmdir(path)
    }

    /// Answers for as long as that is so: nothing is here.
    func answer(while isWanted: () -> Bool) throws {
        var request = [UInt8](repeating: 0, count: 1 << 17)
        while isWanted() {
            var waiting = pollfd(fd: device, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) > 0 else { continue }
            let count = request.withUnsafeMutableBytes { read(device, $0.baseAddress, $0.count) }
            guard count >= 40 else { throw Unexpected("a FUSE request of \(count) bytes") }
            let (opcode, unique) = request.withUnsafeBytes {
                (
                    $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                )
            }
            let (lookUp, initialize): (UInt32, UInt32) = (1, 26)
            // fuse_init_out: version 7.31, and nothing else wanted.
            var body: [UInt32] = Array(repeating: 0, count: 16)
            (body[0], body[1], body[5]) = (7, 31, 4096)
            if opcode != initialize { body = [] }
            let error = opcode == initialize ? 0 : opcode == lookUp ? -ENOENT : -ENOSYS
            var answer = withUnsafeBytes(of: UInt32(16 + 4 * body.count)) { Array($0) }
            answer += withUnsafeBytes(of: error) { Array($0) }
            answer += withUnsafeBytes(of: unique) { Array($0) }
            answer += body.withUnsafeBytes { Array($0) }
            guard write(device, answer, answer.count) == answer.count else {
                throw Unexpected("a FUSE answer: \(errno)")
            }
        }
    }

    static let isAvailable = getuid() == 0 && HungFileSystem.make() != nil
}

private let noFUSE: Comment = "no FUSE here, or not for us"

@Suite("A start that hangs", .serialized, .timeLimit(.minutes(2)))
struct HungStartTests {
    private static func hang(_ command: inout Command, _ place: Int, _ path: String) -> String {
        switch place {
        case 0:
            command.workingDirectory = "\(path)/sub"
            return "entering the working directory '\(path)/sub'"
        case 1:
            command.argv = ["\(path)/program"]
            return "running the program '\(path)/program'"
        default:
            command.argv = ["program"]
            command.environment["PATH"] = "/nowhere:\(path):/bin"
            return "running the program '\(path)/program'"
        }
    }

    @Test(
        "by its working directory, its program or its PATH is START_FAILED in time; nobody waits for it",
        .enabled(if: HungFileSystem.isAvailable, noFUSE),
        arguments: 0...2
    )
    func hungFileSystem(place: Int) async throws {
        let hung = try #require(HungFileSystem.make())
        defer { withExtendedLifetime(hung) {} }
        let change: (inout ServerOptions) -> Void = { options in
            options.loopCount = 1
            options.processes.startTime = .seconds(2)
        }
        try await Service.run(options: change) { service in
            let client = try RawClient(service)
            var command = Command(["true"])
            let step = Self.hang(&command, place, hung.path)
            try client.start(Start(containerID: "h", execID: "hung", command: command), id: 3)
            // Their answers come before: all on the one loop.
            for number in 0..<10 {
                let start = Start(
                    containerID: "h",
                    execID: "e\(number)",
                    command: Command(["true"])
                )
                try client.start(start, id: UInt32(5 + 2 * number))
            }
            let others = try client.sessions(Set((0..<10).map { UInt32(5 + 2 * $0) }))
            #expect(others.values.allSatisfy { $0.exit?.code == 0 })
            let exit = try #require(try client.session(3).exit)
            #expect(exit.reason == .startFailed)
            #expect(exit.message == "the start did not finish in 2 s: it hung while \(step)")
        }
    }

    @Test(
        "is PENDING, is ended by a stop, and does not hold up a server that ends",
        .enabled(if: HungFileSystem.isAvailable, noFUSE)
    )
    func stopped() async throws {
        let hung = try #require(HungFileSystem.make())
        defer { withExtendedLifetime(hung) {} }
        try await Service.run(options: { $0.processes.startTime = .seconds(3_600) }) { service in
            let client = try RawClient(service)
            var command = Command(["true"])
            command.workingDirectory = "\(hung.path)/sub"
            for (exec, id) in [("a", 3), ("b", 5), ("c", 7)] as [(String, UInt32)] {
                try client.start(Start(containerID: "h", execID: exec, command: command), id: id)
            }
            // An equal start joins; its first answer comes with the other's.
            try client.start(Start(containerID: "h", execID: "a", command: command), id: 9)
            let listed = try client.call(.execList, ExecListRequest(containerID: "h"), id: 11)
            let infos = try decode(ExecListResponse.self, listed.payload).execs
            #expect(infos.map(\.state) == [.pending, .pending, .pending])
            #expect(infos.allSatisfy { $0.pid == 0 })
            let stop = ExecStopRequest(containerID: "h", execID: "a", graceMS: 0)
            try client.open("ExecStop", stop.encode(), id: 13)
            let ended = try client.sessions([3, 9])
            #expect(ended[3]?.exit?.reason == .startFailed)
            #expect(ended[3]?.exit?.cause == .client)
            #expect(ended[3]?.exit?.message == "it was stopped before it ran")
            #expect(ended[9]?.exit == ended[3]?.exit)
            #expect(ended[9]?.ready?.joined == true)
            // Its client leaves: the start goes on, and the server's end is what ends it.
            client.close()
            await service.server.shutDown()
            #expect(service.registry.instances().isEmpty)
        }
    }

    @Test(
        "is waited for by no call that has ended",
        .enabled(if: HungFileSystem.isAvailable, noFUSE)
    )
    func leftBehind() async throws {
        let hung = try #require(HungFileSystem.make())
        defer { withExtendedLifetime(hung) {} }
        let log = LogLines()
        let change: (inout ServerOptions) -> Void = { options in
            options.processes.startTime = .seconds(3_600)
            options.log = log.log()
        }
        try await Service.run(options: change) { service in
            let starter = try RawClient(service)
            var command = Command(["true"])
            command.workingDirectory = "\(hung.path)/sub"
            try starter.start(Start(containerID: "h", execID: "e", command: command), id: 3)
            while service.registry.instances().isEmpty { await Task.yield() }
            let client = try RawClient(service)
            let signal = ExecSignalRequest(
                containerID: "h",
                execID: "e",
                signal: SignalRequest(18)
            )
            // More than may wait at one time.
            for number in 0..<1_500 {
                let (session, call) = (UInt32(3 + 4 * number), UInt32(5 + 4 * number))
                try client.start(Start(containerID: "h", execID: "e"), id: session)
                try client.send(SessionRequest.detach, id: session)
                try client.open("ExecSignal", signal.encode(), id: call, timeoutNano: 1)
                #expect(try client.response(call).status?.code == .deadlineExceeded)
            }
            #expect(log.audit.count { $0.hasSuffix("attach h/e cancelled") } == 1_500)
            #expect(log.audit.count { $0.hasSuffix("cancelled") } == 3_000)
        }
    }

    @Test(
        "and succeeds when its client may not attach any more is treated as left by that client",
        .enabled(if: HungFileSystem.isAvailable, noFUSE)
    )
    func lostRight() async throws {
        let hung = try #require(HungFileSystem.make())
        let file = try TokensFile("bob run:c token-of-bob-0001")
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let bob = try RawClient(service, token: "token-of-bob-0001")
            var command = Command(["sleep", "1000"])
            command.environment["PATH"] = "\(hung.path):/usr/bin:/bin"
            var start = Start(containerID: "c", execID: "e", command: command)
            start.onDisconnect = OnDisconnect(stop: true)
            try bob.start(start, id: 3)
            while service.registry.instances().isEmpty { await Task.yield() }
            try file.write("bob run:other token-of-bob-0001")
            service.server.reload()
            let instance = try service.registry.instance(try ExecKey(container: "c", exec: "e"))
            try hung.answer(while: { instance.info.state == .pending })
            #expect(try bob.response(3).status?.code == .permissionDenied)
            let exit = try await instance.waitForExit()
            #expect(exit.cause == .disconnect)
        }
    }

    /// Stops every other process of its user, again and again.
    private static let stopper = """
        import os, signal
        print("up", flush=True)
        while True:
            try: os.kill(-1, signal.SIGSTOP)
            except OSError: pass
        """

    @Test(
        "because a user stops all its processes hangs for that user alone",
        .enabled(if: getuid() == 0)
    )
    func stoppedByItsUser() async throws {
        // Nobody else's.
        let user = "64321:64321"
        let change: (inout ServerOptions) -> Void = { options in
            options.loopCount = 1
            options.processes.startTime = .seconds(4)
        }
        try await Service.run(options: change) { service in
            let client = try RawClient(service)
            var attack = Command(["python3", "-c", Self.stopper])
            attack.user = user
            try client.start(Start(containerID: "s", execID: "attack", command: attack), id: 3)
            try client.waitForOutput("up\n", 3)
            var command = Command(["true"])
            command.user = user
            var failed = 0
            // Some are stopped before they run, others just after, and a round may have none of the first.
            for round in 0..<20 where failed == 0 {
                let execs = (0..<40).map { "v\(round)-\($0)" }
                for (number, exec) in execs.enumerated() {
                    let start = Start(containerID: "s", execID: exec, command: command)
                    try client.start(start, id: UInt32(1_001 + 2 * (40 * round + number)))
                }
                let ids = (0..<20).map { UInt32(10_001 + 2 * (20 * round + $0)) }
                for id in ids {
                    let start = Start(
                        containerID: "s",
                        execID: "e\(id)",
                        command: Command(["true"])
                    )
                    try client.start(start, id: id)
                }
                let others = try client.sessions(Set(ids))
                #expect(others.values.allSatisfy { $0.exit?.code == 0 })
                for exec in execs {
                    let instance = try service.registry.instance(
                        try ExecKey(container: "s", exec: exec)
                    )
                    guard instance.info.state == .pending else { continue }
                    let exit = try await instance.waitForExit()
                    guard exit.reason == .startFailed else { continue }
                    failed += 1
                    #expect(exit.message.contains("it was stopped by a signal while"))
                }
            }
            #expect(failed > 0)
        }
    }
}

@Suite("A command for another user", .timeLimit(.minutes(1)))
struct OtherUserTests {
    @Test(
        "gets that user's HOME, USER, LOGNAME and SHELL, and nothing of the server's environment",
        .enabled(if: getuid() == 0)
    )
    func environment() async throws {
        let change: (inout ServerOptions) -> Void = { options in
            options.processes.baseEnvironment = [
                "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "USER": "root",
                "LOGNAME": "root", "SHELL": "/bin/zsh", "AWS_SECRET_ACCESS_KEY": "hidden",
                "SSH_AUTH_SOCK": "/run/agent",
            ]
        }
        try await Service.run(options: change) { service in
            func lines(_ user: String, as exec: String, clear: Bool = false) throws -> [String] {
                let said = try service.run(["/usr/bin/env"], as: exec) { command in
                    command.user = user
                    command.clearEnvironment = clear
                    command.environment = ["MINE": "1"]
                }
                return said.text(.stdout).split(separator: "\n").map(String.init).sorted()
                    .filter { !$0.hasPrefix("EXECSTREAM_") }
            }
            let found = try Users.find("nobody")
            #expect(
                try lines("nobody", as: "a") == [
                    "HOME=\(found.home)", "LANG=C.UTF-8", "LOGNAME=nobody", "MINE=1",
                    "PATH=/usr/bin:/bin", "SHELL=\(found.shell)", "USER=nobody",
                ]
            )
            #expect(
                try lines("64321:64321", as: "b") == [
                    "HOME=/", "LANG=C.UTF-8", "MINE=1", "PATH=/usr/bin:/bin", "SHELL=/bin/sh",
                ]
            )
            #expect(try lines("nobody", as: "c", clear: true) == ["MINE=1"])
            // The same user: as without one.
            let own = try lines("0", as: "d")
            #expect(own.contains("HOME=/root"))
            #expect(own.contains("SHELL=/bin/zsh"))
            #expect(own.contains("AWS_SECRET_ACCESS_KEY=hidden"))
        }
    }

    @Test("does not inherit the server's oom_score_adj", .enabled(if: getuid() == 0))
    func oomScore() async {
        await #expect(processExitsWith: .success) {
            let file = "/proc/self/oom_score_adj"
            try Files.writeAll("500", to: file)
            let script = "until read x < \(file); [ \"$x\" = 0 ]; do :; done; echo zero"
            try await Service.run { service in
                let said = try service.run(["sh", "-c", script])
                precondition(said.text(.stdout) == "zero\n")
                // Its own is as it was: the child has not changed it by sharing the memory.
                let own = try Files.readSmall(file, max: 16)
                precondition(String(decoding: own, as: UTF8.self) == "500\n")
            }
        }
    }

    @Test("has what was sent before Ready in its order")
    func pipelined() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["cat"])
            command.stdin = true
            try client.start(Start(containerID: "p", execID: "1", command: command), id: 3)
            for part in ["a", "b", "c"] {
                try client.send(SessionRequest.stdin(Array(part.utf8)), id: 3)
            }
            try client.send(SessionRequest.closeStdin, id: 3)
            try client.sendEnd(id: 3)
            let said = try client.session(3)
            #expect(said.failure == nil)
            #expect(said.text(.stdout) == "abc")
            #expect(said.exit?.code == 0)
        }
    }
}

extension Files {
    fileprivate static func writeAll(_ text: String, to path: String) throws(Errno) {
        let file = try Files.open(path, .readWrite)
        _ = Array(text.utf8).withUnsafeBytes { try? file.write($0) }
    }
}
