internal import ExecModel
internal import Testing

@testable internal import Wire

/// A message that the foreign vector of the same name is the encoding of.
struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let type: any WireMessage.Type
    let message: any WireMessage
    /// Whether bytes decode to the message.
    let isDecoded: @Sendable ([UInt8]) throws -> Bool

    init<Message: WireMessage & Equatable>(_ name: String, _ message: Message) {
        self.name = name
        type = Message.self
        self.message = message
        isDecoded = { try Message.decode(bytes: $0) == message }
    }

    var testDescription: String { name }

    var vector: [UInt8] { hex(foreignVectors[name] ?? "") }
}

enum Samples {
    static let usage = Usage(userUS: 1001, systemUS: 1002, maxRSSBytes: 1003)

    static let exit = Exit(
        code: 137,
        reason: .forcedKill,
        cause: .timeout,
        signal: 9,
        coreDumped: true,
        message: "it ignored \"TERM\"",
        lastSequence: 77,
        stdoutBytes: 500,
        stderrBytes: 600,
        drained: true,
        holderPIDs: [4242, -1],
        startedUnixNS: 1_700_000_001,
        finishedUnixNS: -1_700_000_002,
        usage: usage,
    )

    static let info = {
        var info = ExecInfo(containerID: "c1", execID: "e1")
        info.state = .exited
        info.pid = 4711
        info.argv = ["sh", "", "-c"]
        info.labels = ["a": "1", "b": "2"]
        info.tty = true
        info.published = true
        info.viewers = 3
        info.stdoutBytes = 500
        info.stderrBytes = 600
        info.createdUnixNS = 1_700_000_000
        info.startedUnixNS = 1_700_000_001
        info.exit = exit
        info.window = WindowSize(rows: 68, columns: 69)
        return info
    }()

    /// An exec of which only the name is told.
    static let bareInfo = {
        var info = ExecInfo(containerID: "c1", execID: "e1")
        info.state = .unspecified
        return info
    }()

    static let command = {
        var command = Command(["sh", "-c", "hé\0llo"])
        command.environment = ["HOME": "/root", "LANG": "C"]
        command.clearEnvironment = true
        command.workingDirectory = "/w"
        command.terminal = Terminal(size: WindowSize(rows: 24, columns: 80), term: "vt100")
        command.stdin = true
        command.timeoutMS = 11
        command.graceMS = 12
        command.stopSignal = 15
        command.drainMS = 13
        command.user = "1000:100"
        command.limits.logBytesMax = 21
        command.limits.memoryBytesMax = 22
        command.limits.pidsMax = 23
        command.limits.cpuMillis = 24
        command.limits.openFilesMax = 25
        command.labels = ["k": "v"]
        return command
    }()

    static let start = {
        var start = Start(containerID: "c1", execID: "e1", command: command)
        start.view.from = .tail(bytes: 31)
        start.view.slow = .drop
        start.view.windowBytes = 32
        start.view.readOnly = true
        start.view.noFollow = true
        start.view.windowChunks = 34
        start.onDisconnect = OnDisconnect(stop: true, afterMS: 33)
        return start
    }()

    static func start(from: View.From, slow: SlowPolicy) -> Start {
        var start = Start(containerID: "c", execID: "e")
        start.view.from = from
        start.view.slow = slow
        return start
    }

    static let resourceUsage = {
        var usage = ResourceUsage()
        usage.cpuPercent = 12.5
        usage.memoryBytes = 93
        usage.memoryLimitBytes = 94
        usage.ioReadBytes = 95
        usage.ioWriteBytes = 96
        usage.pids = 97
        return usage
    }()

    static let all = session + publish + calls

    private static let session = [
        Sample("helloRequest", HelloRequest(client: "test/1", token: "t0ken")),
        Sample(
            "helloResponse",
            HelloResponse(
                server: "execstream/1",
                protocolVersion: 1,
                features: ["process", "tty"],
                chunkBytesMax: 65536,
            ),
        ),
        Sample("start", SessionRequest.start(start)),
        Sample("startLive", SessionRequest.start(start(from: .live, slow: .catchUp))),
        Sample(
            "startAfter",
            SessionRequest.start(start(from: .after(sequence: 0), slow: .disconnect)),
        ),
        Sample(
            "startBare",
            SessionRequest.start(
                Start(
                    containerID: "c",
                    execID: "e",
                    command: Command(["true"]),
                    onDisconnect: OnDisconnect(),
                ),
            ),
        ),
        Sample("stdin", SessionRequest.stdin([0, 0xff, 0x0a])),
        Sample("stdinEmpty", SessionRequest.stdin([])),
        Sample("resize", SessionRequest.resize(WindowSize(rows: 50, columns: .max))),
        Sample("closeStdin", SessionRequest.closeStdin),
        Sample("detach", SessionRequest.detach),
        Sample("signal", SessionRequest.signal(SignalRequest(-9, leaderOnly: true))),
        Sample("credit", SessionRequest.credit(.max, chunks: 35)),
        Sample(
            "ready",
            SessionResponse.ready(
                Ready(
                    info: info,
                    joined: true,
                    firstSequence: 41,
                    lastSequence: 42,
                    stdinCredit: 43
                ),
            ),
        ),
        Sample(
            "output",
            SessionResponse.output(
                Output(
                    sequence: 51,
                    offset: 52,
                    unixNS: 53,
                    replay: true,
                    stream: .stderr,
                    bytes: [0x65, 0, 0xff],
                ),
            ),
        ),
        Sample(
            "outputEmpty",
            SessionResponse.output(
                Output(
                    sequence: 0,
                    offset: 0,
                    unixNS: 0,
                    replay: false,
                    stream: .stdout,
                    bytes: [],
                ),
            ),
        ),
        Sample(
            "gap",
            SessionResponse.gap(
                Gap(firstSequence: 61, lastSequence: 62, stdoutBytes: 63, stderrBytes: 64),
            ),
        ),
        Sample("ended", SessionResponse.ended(Ended(code: 143, signal: 15, unixNS: 65))),
        Sample("exit", SessionResponse.exit(exit)),
        Sample("stdinCredit", SessionResponse.stdinCredit(66)),
        Sample("state", SessionResponse.state(.paused, unixNS: 67)),
        Sample("resized", SessionResponse.resized(WindowSize(rows: 51, columns: 132))),
    ]

    private static let publish = [
        Sample(
            "register",
            PublishRequest.register(
                Register(containerID: "c1", execID: "e1", labels: ["k": "v"]),
            ),
        ),
        Sample("publishStdout", PublishRequest.stdout(Array("out".utf8))),
        Sample("publishStderr", PublishRequest.stderr(Array("err".utf8))),
        Sample(
            "publishedExit",
            PublishRequest.exit(PublishedExit(code: 3, signal: 2, message: "gone")),
        ),
        Sample("publishResponse", PublishResponse(exit: exit)),
    ]

    private static let calls = [
        Sample(
            "execWaitRequest",
            ExecWaitRequest(containerID: "c1", execID: "e1", timeoutMS: 71),
        ),
        Sample("execWaitResponse", ExecWaitResponse(info: info)),
        Sample(
            "execListRequest",
            ExecListRequest(containerID: "c1", labels: ["k": "v"], runningOnly: true),
        ),
        Sample("execListResponse", ExecListResponse(execs: [info, bareInfo], truncated: true)),
        Sample(
            "execSignalRequest",
            ExecSignalRequest(
                containerID: "c1",
                execID: "e1",
                signal: SignalRequest(-9, leaderOnly: true),
            ),
        ),
        Sample("execStopRequest", ExecStopRequest(containerID: "c1", execID: "e1", graceMS: 72)),
        Sample("execRemoveRequest", ExecRemoveRequest(containerID: "c1", execID: "e1")),
        Sample("execControlResponse", ExecControlResponse(info: info)),
        Sample(
            "containerLifecycleRequest",
            ContainerLifecycleRequest(containerID: "c1", afterSequence: 81),
        ),
        Sample(
            "containerLifecycleEvent",
            ContainerLifecycleEvent(
                sequence: 82,
                unixNS: 83,
                kind: .stopping,
                info: info,
                missed: 84,
            ),
        ),
        Sample(
            "containerStatusRequest",
            ContainerStatusRequest(containerID: "c1", includeResourceUsage: true),
        ),
        Sample(
            "containerStatusResponse",
            ContainerStatusResponse(
                containerID: "c1",
                state: .exited,
                execs: [bareInfo],
                startedUnixNS: 91,
                finishedUnixNS: 92,
                exit: exit,
                resourceUsage: resourceUsage,
            ),
        ),
        Sample("containerControlRequest", ContainerControlRequest(containerID: "c1")),
        Sample(
            "containerSignalRequest",
            ContainerSignalRequest(
                containerID: "c1",
                signal: SignalRequest(-9, leaderOnly: true),
            ),
        ),
        Sample(
            "containerControlResponse",
            ContainerControlResponse(success: true, message: "froze cgroup", execs: 98),
        ),
    ]
}
