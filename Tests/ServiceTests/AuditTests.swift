import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

@Suite("The audit log", .timeLimit(.minutes(1)))
struct AuditTests {
    private static let tokens = "ops admin secret-token-ops\nwall view:c secret-token-wall"

    /// What is done here, and refused, with secrets wherever a peer can put some.
    private func acts(_ service: Service) throws {
        let ops = try RawClient(service, token: "secret-token-ops")
        var command = shell("echo secret-output $SECRET; read x; exec sleep 60", stdin: true)
        command.environment = ["SECRET": "secret-environment"]
        command.labels = ["label": "secret-label"]
        let start = Start(containerID: "c", execID: "e", command: command)
        try ops.start(start, id: 3)
        _ = try ops.ready(3)
        try ops.send(SessionRequest.stdin(Array("secret-stdin\n".utf8)), id: 3)
        try ops.start(start, id: 5)
        _ = try ops.ready(5)
        try ops.start(Start(containerID: "c", execID: "e", command: shell("secret-other")), id: 7)
        _ = try ops.session(7)
        let failing = Start(containerID: "c", execID: "f", command: Command(["/secret-none"]))
        try ops.start(failing, id: 9)
        _ = try ops.session(9)
        _ = try ops.attach("c", "e", id: 11)
        let signal = SignalRequest(SIGCONT)
        let one = ExecSignalRequest(containerID: "c", execID: "e", signal: signal)
        _ = try ops.call(.execSignal, one, id: 13)
        let all = ContainerSignalRequest(containerID: "c", signal: signal)
        _ = try ops.call(.containerSignal, all, id: 15)
        let control = ContainerControlRequest(containerID: "c")
        _ = try ops.call(.containerPause, control, id: 17)
        _ = try ops.call(.containerResume, control, id: 19)
        _ = try ops.call(.containerResume, control, id: 21)
        try ops.open("Publish", id: 23, flags: .remoteOpen)
        let register = Register(containerID: "c", execID: "p", labels: ["l": "secret-label"])
        try ops.send(PublishRequest.register(register), id: 23)
        try ops.send(PublishRequest.stdout(Array("secret-output".utf8)), id: 23)
        try ops.send(PublishRequest.exit(PublishedExit(code: 0)), id: 23)
        _ = try ops.response(23)
        let wall = try RawClient(service, token: "secret-token-wall")
        _ = try wall.attach("c", "e", id: 3)
        try wall.send(SessionRequest.stdin(Array("secret-stdin".utf8)), id: 3)
        _ = try wall.session(3)
        _ = try wall.call(.execStop, ExecStopRequest(containerID: "c", execID: "e"), id: 5)
        _ = try wall.call(.execList, ExecListRequest(containerID: "d"), id: 7)
        try ops.send(SessionRequest.signal(signal), id: 3)
        // The signal is the loop's next job, and this call the one after.
        _ = try ops.call(.execList, ExecListRequest(), id: 31)
        _ = try ops.call(.execStop, ExecStopRequest(containerID: "c", execID: "e"), id: 25)
        _ = try ops.call(.execRemove, ExecRemoveRequest(containerID: "c", execID: "e"), id: 27)
        _ = try ops.call(.execRemove, ExecRemoveRequest(containerID: "c", execID: "e"), id: 29)
        let stranger = try RawClient(port: service.port)
        for id: UInt32 in [3, 5, 7] {
            try stranger.open("ExecStop", id: id)
            _ = try stranger.response(id)
        }
        _ = try stranger.call(.hello, HelloRequest(client: "x", token: "secret-guess"), id: 9)
    }

    private static let expected = [
        "ops start c/e started", "ops start c/e joined", "ops start c/e ALREADY_EXISTS",
        "ops start c/f start_failed", "ops attach c/e ok", "ops signal c/e ok", "ops signal c ok",
        "ops pause c ok", "ops resume c ok", "ops resume c FAILED_PRECONDITION",
        "ops publish c/p ok", "wall attach c/e ok", "wall stdin c/e PERMISSION_DENIED",
        "wall stop c/e PERMISSION_DENIED", "wall list d PERMISSION_DENIED", "ops signal c/e ok",
        "ops stop c/e ok", "ops remove c/e ok", "ops remove c/e NOT_FOUND",
        "unknown stop UNAUTHENTICATED", "unknown hello UNAUTHENTICATED",
    ]

    @Test("has 256 lines for calls of one identity that fail, and every line for what is done")
    func failures() async throws {
        let file = try TokensFile(Self.tokens)
        let (path, log) = (file.path, LogLines())
        try await Service.run(options: { ($0.tokensFile, $0.log) = (path, log.log()) }) { service in
            let ops = try RawClient(service, token: "secret-token-ops")
            let remove = ExecRemoveRequest(containerID: "c", execID: "none")
            for number: UInt32 in 0..<300 {
                _ = try ops.call(.execRemove, remove, id: 3 + 2 * number)
            }
            #expect(log.audit.count { $0 == "ops remove c/none NOT_FOUND" } == 256)
            try ops.start(Start(containerID: "c", execID: "e", command: shell("exit 0")), id: 1_003)
            _ = try ops.session(1_003)
            #expect(log.audit.last == "ops start c/e started")
            #expect(log.audit.count == 257)
        }
    }

    @Test("has a line for all that was done and refused, and nothing of what was said")
    func lines() async throws {
        let file = try TokensFile(Self.tokens)
        let (path, log) = (file.path, LogLines())
        try await Service.run(options: { ($0.tokensFile, $0.log) = (path, log.log()) }) { service in
            try acts(service)
            #expect(log.audit == Self.expected)
            #expect(
                log.all.filter { $0.hasPrefix("info audit") }.allSatisfy {
                    $0.contains(" from=\"tcp:127.0.0.1:")
                }
            )
        }
        #expect(!log.text.contains("secret"))
    }

    @Test("shows a name that would move a terminal's cursor, or break its line, as numbers")
    func controls() async throws {
        let log = LogLines()
        try await Service.run(options: { $0.log = log.log() }) { service in
            let name = "a\u{1B}[2J\u{9B}2J\u{85}\u{2028}b\u{202E}c\u{200B}\u{E0041}"
            let request = ExecSignalRequest(
                containerID: name,
                execID: "e",
                signal: SignalRequest(SIGCONT)
            )
            _ = try RawClient(service).call(.execSignal, request, id: 3)
            #expect(
                log.text.contains(
                    "a\\u001b[2J\\u009b2J\\u0085\\u2028b\\u202ec\\u200b\\udb40\\udc41"
                )
            )
            let controls = log.text.unicodeScalars.filter {
                [.control, .format].contains($0.properties.generalCategory)
            }
            #expect(controls.allSatisfy { $0 == "\n" })
        }
    }

    @Test("goes to a file as well, 0600, where the server's log is to say less")
    func file() async throws {
        let file = try TokensFile(Self.tokens)
        let (path, log) = (file.path, LogLines())
        let audit = "\(path).audit"
        try await Service.run(
            options: {
                ($0.tokensFile, $0.auditLogFile, $0.log) = (path, audit, log.log(.error))
            }
        ) { service in try acts(service) }
        #expect(log.all.isEmpty)
        var status = stat()
        #expect(stat(audit, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        let text = String(decoding: try Files.readSmall(audit, max: 1 << 20), as: UTF8.self)
        #expect(!text.contains("secret"))
        let lines = text.split(separator: "\n")
        #expect(lines.count == Self.expected.count)
        let first = try #require(lines.first)
        #expect(first.hasPrefix("{\"time\":\"20"))
        #expect(first.contains("\"who\":\"ops\",\"from\":\"tcp:127.0.0.1:"))
        #expect(first.hasSuffix("\"what\":\"start\",\"exec\":\"c/e\",\"outcome\":\"started\"}"))
        #expect(lines.last?.contains("\"what\":\"hello\",\"outcome\":\"UNAUTHENTICATED\"") == true)
    }

    @Test("is added to, and opened again by a reload, so that it can be moved away")
    func rotation() async throws {
        let directory = temporaryDirectory()
        defer { try? Files.removeTree(directory) }
        let audit = "\(directory)/audit"
        try Files.writeAtomically(audit, Array("before\n".utf8))
        let read = { String(decoding: try Files.readSmall($0, max: 1 << 20), as: UTF8.self) }
        try await Service.run(options: { $0.auditLogFile = audit }) { service in
            _ = try service.run(["true"], as: "one")
            #expect(try read(audit).hasPrefix("before\n{"))
            try Files.rename(audit, to: "\(audit).1")
            _ = try service.run(["true"], as: "two")
            service.server.reload()
            _ = try service.run(["true"], as: "three")
            #expect(try read("\(audit).1").split(separator: "\n").count == 3)
            #expect(try read("\(audit).1").contains("test/two"))
            #expect(try read(audit).split(separator: "\n").count == 1)
            #expect(try read(audit).contains("test/three"))
        }
    }

    @Test("that can't be written is told once, and stops nothing")
    func full() async throws {
        let log = LogLines()
        try await Service.run(
            options: { ($0.auditLogFile, $0.log) = ("/dev/full", log.log(.error)) }
        ) { service in
            for exec in ["one", "two", "three"] {
                #expect(try service.run(["true"], as: exec).exit?.code == 0)
            }
            #expect(log.all.count == 1)
            #expect(log.text.contains("ENOSPC"), "\(log.all)")
            service.server.reload()
            _ = try service.run(["true"], as: "four")
            #expect(log.all.count == 2)
        }
    }

    @Test("that can't be opened refuses the start")
    func unopened() async throws {
        let error = try await failure {
            try await Service.run(options: { $0.auditLogFile = "/nowhere/audit" }) { _ in }
        }
        #expect(error.code == .failedPrecondition)
        #expect(error.message.contains("/nowhere/audit"))
    }

    @Test(
        "names another user who tries the Unix socket, by uid",
        .enabled(if: geteuid() == 0, "only root can be another user")
    )
    func otherUser() async throws {
        let log = LogLines()
        try await Service.run(options: { $0.log = log.log(.info) }) { service in
            #expect(chmod(service.directory, 0o755) == 0)
            #expect(chmod(service.socketPath, 0o666) == 0)
            let script =
                "import socket; s = socket.socket(socket.AF_UNIX);"
                + "s.connect('\(service.socketPath)'); print(s.recv(1))"
            let said = try service.run(["python3", "-c", script]) { $0.user = "65534" }
            #expect(said.text(.stdout) == "b''\n", "\(said.text(.stderr))")
            #expect(log.audit.contains("uid:65534 hello PERMISSION_DENIED"), "\(log.audit)")
        }
    }

    @Test("holds no name that is longer than one may be, and no line's end of a peer's")
    func names() async throws {
        let log = LogLines()
        try await Service.run(options: { $0.log = log.log(.info) }) { service in
            let client = try RawClient(service)
            let name = "x\n\"who\":\"root\"" + String(repeating: "y", count: 100_000)
            _ = try client.call(.execStop, ExecStopRequest(containerID: name, execID: name), id: 3)
            let line = try #require(log.all.last { $0.contains("audit") })
            #expect(line.utf8.count < 500)
            #expect(line.filter(\.isNewline).count == 1)
            #expect(line.contains("INVALID_ARGUMENT"))
        }
    }
}
