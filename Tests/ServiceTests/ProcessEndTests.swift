import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

/// One process, what is done to it, and what everybody is then told.
struct EndRow: Sendable, CustomTestStringConvertible {
    enum Done: Sendable { case nothing, stop, disconnect, shutdown }

    var name: String
    /// `@` is the test's directory.
    var argv: [String]
    var done = Done.nothing
    var code: Int32
    var reason = ExitReason.natural
    var cause = StopCause.unspecified
    var signal: Int32 = 0
    var coreDumped = false
    /// A part of the exit's message; empty: there is none at all.
    var message = ""
    var change: @Sendable (inout Command) -> Void = { _ in }

    var testDescription: String { name }

    fileprivate static func sh(_ script: String) -> [String] { ["sh", "-c", script] }

    /// Says `ready` once it has done `trap`, and then waits.
    fileprivate static func waiting(_ trap: String) -> [String] {
        sh("\(trap); echo ready; while :; do sleep 0.05; done")
    }
}

extension EndRow {
    /// Some machines forbid it.
    private static let mayDumpCore: Bool = {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        return limit.rlim_max > 0
    }()

    static let all = byItself + neverRan + stopped

    private static let byItself = [
        EndRow(name: "returns 0", argv: sh("exit 0"), code: 0),
        EndRow(name: "returns 1", argv: sh("exit 1"), code: 1),
        EndRow(name: "returns 255", argv: sh("exit 255"), code: 255),
        EndRow(
            name: "is killed by TERM",
            argv: sh("kill -TERM $$"),
            code: 143,
            reason: .signal,
            signal: SIGTERM
        ),
        EndRow(
            name: "is killed by KILL",
            argv: sh("kill -KILL $$"),
            code: 137,
            reason: .signal,
            signal: SIGKILL
        ),
        EndRow(
            name: "is killed by SEGV and leaves a core",
            argv: sh("ulimit -c unlimited; kill -SEGV $$"),
            code: 139,
            reason: .signal,
            signal: SIGSEGV,
            coreDumped: mayDumpCore,
            change: { $0.workingDirectory = "@" }
        ),
        EndRow(
            name: "is killed by SEGV and leaves no core",
            argv: sh("ulimit -c 0; kill -SEGV $$"),
            code: 139,
            reason: .signal,
            signal: SIGSEGV
        ),
    ]

    private static let neverRan = [
        EndRow(
            name: "is not in PATH",
            argv: ["no-such-program"],
            code: 127,
            reason: .startFailed,
            message: "cannot run 'no-such-program': not found in PATH"
        ),
        EndRow(
            name: "is no file",
            argv: ["/nowhere/program"],
            code: 127,
            reason: .startFailed,
            message: "cannot run '/nowhere/program': not found"
        ),
        EndRow(
            name: "is not executable",
            argv: ["@/plain"],
            code: 126,
            reason: .startFailed,
            message: "EACCES"
        ),
        EndRow(
            name: "is a directory",
            argv: ["/usr"],
            code: 126,
            reason: .startFailed,
            message: "cannot run '/usr': it is a directory"
        ),
        EndRow(
            name: "has an interpreter that is not there",
            argv: ["@/lost"],
            code: 126,
            reason: .startFailed,
            message: "its interpreter was not found"
        ),
        EndRow(
            name: "has a working directory that is not there",
            argv: ["true"],
            code: 126,
            reason: .startFailed,
            message: "cannot enter the directory '/nowhere'",
            change: { $0.workingDirectory = "/nowhere" }
        ),
        EndRow(
            name: "has a user that nobody knows",
            argv: ["true"],
            code: 126,
            reason: .startFailed,
            message: "there is no user 'nobody-here'",
            change: { $0.user = "nobody-here" }
        ),
    ]

    private static let stopped = [
        EndRow(
            name: "traps TERM and returns 0",
            argv: waiting("trap 'exit 0' TERM"),
            done: .stop,
            code: 0,
            cause: .client
        ),
        EndRow(
            name: "traps TERM and returns 3",
            argv: waiting("trap 'exit 3' TERM"),
            done: .stop,
            code: 3,
            cause: .client
        ),
        EndRow(
            name: "is stopped by a client",
            argv: waiting(":"),
            done: .stop,
            code: 143,
            reason: .signal,
            cause: .client,
            signal: SIGTERM
        ),
        EndRow(
            name: "is stopped by the signal that it wants",
            argv: waiting("trap 'exit 9' USR1"),
            done: .stop,
            code: 9,
            cause: .client,
            change: { $0.stopSignal = SIGUSR1 }
        ),
        EndRow(
            name: "ignores TERM",
            argv: waiting("trap '' TERM"),
            done: .stop,
            code: 137,
            reason: .forcedKill,
            cause: .client,
            signal: SIGKILL,
            message: "had not ended when its grace was over",
            change: { $0.graceMS = 300 }
        ),
        EndRow(
            name: "passes its timeout",
            argv: waiting(":"),
            code: 143,
            reason: .signal,
            cause: .timeout,
            signal: SIGTERM,
            change: { $0.timeoutMS = 200 }
        ),
        EndRow(
            name: "passes its timeout, and traps that",
            argv: waiting("trap 'exit 0' TERM"),
            code: 0,
            cause: .timeout,
            change: { $0.timeoutMS = 1_000 }
        ),
        EndRow(
            name: "loses its only client",
            argv: waiting(":"),
            done: .disconnect,
            code: 143,
            reason: .signal,
            cause: .disconnect,
            signal: SIGTERM
        ),
        EndRow(
            name: "runs in a server that ends",
            argv: waiting(":"),
            done: .shutdown,
            code: 143,
            reason: .signal,
            cause: .shutdown,
            signal: SIGTERM
        ),
    ]
}

@Suite("A process that", .serialized, .timeLimit(.minutes(1)))
struct ProcessEndTests {
    @Test("ends is told truthfully", arguments: EndRow.all, Holding.allCases)
    func ends(row: EndRow, holding: Holding) async throws {
        try await Service.run(holding) { service in
            try Files.writeAtomically("\(service.directory)/plain", Array("x".utf8))
            let lost = "\(service.directory)/lost"
            try Files.writeAtomically(lost, Array("#!/no/interpreter\n".utf8))
            chmod(lost, 0o755)
            var command = Command(row.argv.map { Self.placed($0, service) })
            row.change(&command)
            command.workingDirectory = Self.placed(command.workingDirectory, service)
            let key = try ExecKey(container: "ends", exec: "one")

            let client = try RawClient(service)
            var start = Start(containerID: "ends", execID: "one", command: command)
            if row.done == .disconnect { start.onDisconnect = OnDisconnect(stop: true) }
            try client.start(start, id: 3)
            let began = ContinuousClock.now
            let exit = try await Self.finish(row, key, client, service)
            let grace = Duration.milliseconds(Int64(max(command.graceMS, command.timeoutMS)))
            // Started and told to end within that time, too.
            let most = grace + (row.reason == .forcedKill ? .seconds(1) : .seconds(5))
            #expect(ContinuousClock.now - began < most)

            #expect(exit.code == row.code)
            #expect(exit.reason == row.reason)
            #expect(exit.cause == row.cause)
            #expect(exit.signal == row.signal)
            #expect(exit.coreDumped == row.coreDumped)
            #expect(exit.drained)
            #expect(exit.holderPIDs.isEmpty)
            if row.message.isEmpty {
                #expect(exit.message.isEmpty)
            } else {
                #expect(exit.message.contains(row.message))
            }
            #expect((exit.startedUnixNS == 0) == (row.reason == .startFailed))
            #expect(exit.finishedUnixNS >= exit.startedUnixNS)
        }
    }

    @Test("is traced by somebody is told truthfully once that one is through with it")
    func traced() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["sh", "-c", "echo ready; read x; exit 9"])
            command.stdin = true
            try client.start(Start(containerID: "a", execID: "traced", command: command), id: 3)
            try client.waitForOutput("ready\n", 3)
            let key = try ExecKey(container: "a", exec: "traced")
            let instance = try service.registry.instance(key)
            // PTRACE_SEIZE; the kernel keeps the end from us until the tracer has gone.
            let script = """
                import ctypes, sys
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.ptrace(0x4206, \(instance.info.pid), 0, 0): sys.exit(77)
                print("seized", flush=True)
                sys.stdin.read()
                """
            var tracer = Command(["python3", "-c", script])
            tracer.stdin = true
            try client.start(Start(containerID: "a", execID: "tracer", command: tracer), id: 5)
            let seized = try client.nextText(5)
            // Not everybody may trace.
            guard seized == "seized\n" else { return }
            try client.send(SessionRequest.closeStdin, id: 3)
            while ProcessRecord.read(instance.info.pid)?.hasEnded != true { await Task.yield() }
            try client.send(SessionRequest.closeStdin, id: 5)
            let exit = try await instance.waitForExit()
            #expect((exit.code, exit.reason) == (9, .natural))
        }
    }

    private static func placed(_ text: String, _ service: Service) -> String {
        text.hasPrefix("@") ? service.directory + text.dropFirst() : text
    }

    /// Does what the row says; answers what the instance says, and sees that clients are told that.
    private static func finish(
        _ row: EndRow,
        _ key: ExecKey,
        _ client: RawClient,
        _ service: Service,
    ) async throws -> Exit {
        if row.done == .nothing {
            let exit = try #require(try client.session(3).exit)
            #expect(try service.registry.instance(key).exit == exit)
            return exit
        }
        try client.waitForOutput("ready\n", 3)
        let instance = try service.registry.instance(key)
        switch row.done {
        case .nothing, .stop: try instance.stop(.client)
        case .disconnect:
            client.close()
            return try await instance.waitForExit()
        case .shutdown:
            async let down: Void = service.server.shutDown()
            let said = try client.session(3)
            await down
            return try #require(said.exit)
        }
        let said = try client.session(3)
        let exit = try await instance.waitForExit()
        #expect(said.exit == exit)
        return exit
    }
}

extension RawClient {
    /// What stream `id` says first; empty: nothing before its exit.
    fileprivate func nextText(_ id: UInt32) throws -> String {
        while true {
            let frame = try next()
            guard frame.header.streamID == id, frame.header.type == .data, !frame.isEnd else {
                continue
            }
            switch try decode(SessionResponse.self, frame.payload) {
            case .output(let output): return String(decoding: output.bytes, as: UTF8.self)
            case .exit: return ""
            default: continue
            }
        }
    }

    /// Reads stream `id` until it has said `text`; what came before that is dropped.
    func waitForOutput(_ text: String, _ id: UInt32) throws {
        var said = ""
        while !said.contains(text) {
            let frame = try next()
            guard frame.header.streamID == id, frame.header.type == .data, !frame.isEnd else {
                continue
            }
            if case .output(let output) = try decode(SessionResponse.self, frame.payload) {
                said += String(decoding: output.bytes, as: UTF8.self)
            }
        }
    }
}
