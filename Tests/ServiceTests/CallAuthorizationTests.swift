import ExecModel
import Kernel
import Testing
import Wire

@testable import ExecServer

private let tokens = """
    ops  admin   token-of-ops-00001
    wall view:c  token-of-wall-0001
    """

private func bearer(_ token: String) -> [(key: String, value: String)] {
    [(key: "authorization", value: "Bearer \(token)")]
}

@Suite("The authorization of a single call", .timeLimit(.minutes(1)))
struct CallAuthorizationTests {
    private let stop = ExecStopRequest(containerID: "c", execID: "none")

    private func run(
        _ lines: LogLines = LogLines(),
        delay: Duration = .milliseconds(1),
        _ body: (Service) async throws -> Void,
    ) async throws {
        let file = try TokensFile(tokens)
        let path = file.path
        try await Service.run(
            options: {
                ($0.tokensFile, $0.wrongTokenDelay, $0.log) = (path, delay, lines.log(.info))
            },
            body
        )
    }

    private enum Way: CaseIterable, Sendable { case unix, ops, wall }

    private func client(_ service: Service, _ way: Way) throws -> RawClient {
        switch way {
        case .unix: try RawClient(path: service.socketPath)
        case .ops: try RawClient(service, token: "token-of-ops-00001")
        case .wall: try RawClient(service, token: "token-of-wall-0001")
        }
    }

    @Test("decides that call, whoever the connection belongs to", arguments: Way.allCases)
    private func decides(_ way: Way) async throws {
        let lines = LogLines()
        try await run(lines) { service in
            let client = try client(service, way)
            let asks = { (id: UInt32, values: [(key: String, value: String)]) in
                try client.call(.execStop, stop, id: id, authorization: values).status?.code
            }
            #expect(try asks(3, bearer("token-of-wall-0001")) == .permissionDenied)
            #expect(try asks(5, bearer("token-of-ops-00001")) == .notFound)
            #expect(try asks(7, bearer("a-token-of-nobody")) == .unauthenticated)
            let capital = [(key: "Authorization", value: "bearer a-token-of-nobody")]
            #expect(try asks(9, capital) == .unauthenticated)
            #expect(
                try asks(11, [(key: "authorization", value: "Basic b3BzOng=")]) == .unauthenticated
            )
            let two = bearer("token-of-ops-00001") + bearer("token-of-wall-0001")
            #expect(try asks(13, two) == .unauthenticated)
            // Without, the connection's own.
            let own: ExecError.Code = way == .wall ? .permissionDenied : .notFound
            #expect(try asks(15, []) == own)
        }
        #expect(lines.audit.contains("wall stop c/none PERMISSION_DENIED"))
        #expect(lines.audit.contains("ops stop c/none NOT_FOUND"))
        #expect(lines.audit.contains("unknown stop UNAUTHENTICATED"))
        #expect(!lines.text.contains("token-of"))
    }

    @Test("holds for the whole of a stream, and for what a list shows")
    func streams() async throws {
        try await run { service in
            for container in ["c", "d"] { _ = try service.run(["true"], container: container) }
            let proxy = try client(service, .ops)
            let wall = bearer("token-of-wall-0001")
            let list = try proxy.call(.execList, ExecListRequest(), id: 3, authorization: wall)
            let execs = try decode(ExecListResponse.self, list.payload).execs
            #expect(execs.map(\.containerID) == ["c"])
            let start = Start(containerID: "c", execID: "new", command: shell("exit 0"))
            for (id, values) in [(UInt32(5), wall), (UInt32(7), bearer("nobody-nobody-nobody"))] {
                let message = SessionRequest.start(start).encode()
                try proxy.open("Session", message, id: id, flags: .remoteOpen, metadata: values)
            }
            let sessions = try proxy.sessions([5, 7])
            #expect(sessions[5]?.failure?.code == .permissionDenied)
            #expect(sessions[7]?.failure?.code == .unauthenticated)
            #expect(service.registry.instances().count == 2)
        }
    }

    @Test("that is wrong makes no other call wait, and guesses wait for each other")
    func guesses() async throws {
        try await run(delay: .seconds(10)) { service in
            let proxy = try client(service, .ops)
            #expect(
                try proxy.call(.execStop, stop, id: 1, authorization: bearer("token-of-wall-0001"))
                    .status?.code == .permissionDenied
            )
            for number in 0..<Connection.heldCallsMax {
                let id = UInt32(3 + 2 * number)
                let guess = bearer("a-guess-of-a-token-\(number)")
                try proxy.open("ExecStop", stop.encode(), id: id, metadata: guess)
            }
            let next = try proxy.call(
                .execStop,
                stop,
                id: 101,
                authorization: bearer("one-more-guess-1")
            )
            #expect(next.status?.code == .resourceExhausted)
            // Not even a right one is looked at that was not right here before.
            let known = bearer("token-of-wall-0001")
            #expect(
                try proxy.call(.execStop, stop, id: 103, authorization: known).status?.code
                    == .permissionDenied
            )
            #expect(try proxy.call(.execStop, stop, id: 105).status?.code == .notFound)
        }
    }
}

/// What is open when the tokens change.
private enum Open: CaseIterable, Sendable {
    case view, stdin, publish, events, allEvents, wait, stop
}

/// How its token changes.
private enum Loss: CaseIterable, Sendable {
    case token, role, prefix

    var line: String {
        switch self {
        case .token: "# bob has left"
        case .role: "bob view:c token-of-bob-0001"
        case .prefix: "bob run:d token-of-bob-0001"
        }
    }
}

@Suite("What is open when a token loses its right", .timeLimit(.minutes(1)))
struct LostRightTests {
    /// What it ends with; nil: it goes on.
    private func expected(_ open: Open, _ loss: Loss) -> ExecError.Code? {
        switch (open, loss) {
        case (_, .token): .unauthenticated
        case (.publish, _), (.stop, _): .permissionDenied
        case (_, .role): nil
        case (.allEvents, .prefix): nil
        case (_, .prefix): .permissionDenied
        }
    }

    /// Opens it on a connection that is somebody else's, as a proxy does; returns when the server has it.
    private func begin(_ open: Open, _ proxy: RawClient) throws {
        let bob = bearer("token-of-bob-0001")
        let session = { (start: Start) in
            try proxy.open(
                "Session",
                SessionRequest.start(start).encode(),
                id: 3,
                flags: .remoteOpen,
                metadata: bob
            )
            _ = try proxy.ready(3)
        }
        switch open {
        case .view: try session(Start(containerID: "c", execID: "e"))
        case .stdin:
            let command = Command.with(["cat"]) { $0.stdin = true }
            try session(Start(containerID: "c", execID: "cat", command: command))
        case .publish:
            let register = Register(containerID: "c", execID: "p")
            let message = PublishRequest.register(register).encode()
            try proxy.open("Publish", message, id: 3, flags: .remoteOpen, metadata: bob)
        case .events, .allEvents:
            let request = ContainerLifecycleRequest(
                containerID: open == .events ? "c" : "",
                afterSequence: 0
            )
            let message = request.encode()
            try proxy.open(
                "ContainerLifecycle",
                message,
                id: 3,
                flags: .remoteClosed,
                metadata: bob
            )
        case .wait:
            let request = ExecWaitRequest(containerID: "c", execID: "e", timeoutMS: 60_000)
            try proxy.open("ExecWait", request.encode(), id: 3, metadata: bob)
        case .stop:
            let request = ExecStopRequest(containerID: "c", execID: "deaf")
            try proxy.open("ExecStop", request.encode(), id: 3, metadata: bob)
        }
        _ = try proxy.call(.hello, HelloRequest(client: "x", token: ""), id: 5)
    }

    @Test("ends, or goes on with what is left", arguments: Open.allCases, Loss.allCases)
    private func table(_ open: Open, _ loss: Loss) async throws {
        let file = try TokensFile("bob run:c token-of-bob-0001")
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let owner = try service.registry.register(try key("e", in: "c"))
            let deaf = try RawClient(service)
            if open == .stop {
                let command = shell("trap '' TERM; echo up; while :; do sleep 1; done")
                try deaf.start(Start(containerID: "c", execID: "deaf", command: command), id: 3)
                try deaf.waitForOutput("up\n", 3)
            }
            let proxy = try RawClient(service)
            try begin(open, proxy)
            try file.write(loss.line)
            service.server.reload()
            if let code = expected(open, loss) {
                #expect(try proxy.response(3).status?.code == code)
                if open == .publish {
                    let exit = try service.registry.instance(try key("p", in: "c")).exit
                    #expect(exit?.reason == .runtimeError)
                }
            } else {
                try goOn(open, loss, proxy, service) { owner.finish(code: 7) }
            }
            // The proxy itself has lost nothing.
            #expect(try proxy.call(.execList, ExecListRequest(), id: 7).status == nil)
        }
    }

    @Test("closes a connection whose next call finds its token gone")
    func goneAtCall() async throws {
        let file = try TokensFile("bob run:c token-of-bob-0001")
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let bob = try RawClient(service, token: "token-of-bob-0001")
            try file.write("# bob has left")
            // The connections are not told of it.
            try service.server.context.access.load()
            try bob.open("ExecList", id: 3)
            #expect(throws: RawClient.Closed.self) { while true { _ = try bob.next() } }
            _ = try RawClient(service)
        }
    }

    private func goOn(
        _ open: Open,
        _ loss: Loss,
        _ proxy: RawClient,
        _ service: Service,
        _ finish: () -> Void,
    ) throws {
        switch open {
        case .stdin:
            // The other writer is the last: the lowered one keeps nothing open.
            let other = try RawClient(service)
            _ = try other.attach("c", "cat", id: 3)
            try other.send(SessionRequest.stdin(Array("hello\n".utf8)), id: 3)
            try other.sendEnd(id: 3)
            let said = try proxy.session(3)
            #expect(said.text(.stdout) == "hello\n")
            #expect(said.exit?.code == 0)
        case .view:
            finish()
            #expect(try proxy.session(3).exit?.code == 7)
        case .wait:
            finish()
            let answer = try proxy.response(3)
            #expect(try decode(ExecWaitResponse.self, answer.payload).info.exit?.code == 7)
        case .events, .allEvents:
            finish()
            _ = try service.run(["true"], container: "d-1")
            // A prefix that was taken shows nothing of its containers any more.
            while true {
                let frame = try proxy.next()
                guard frame.header.streamID == 3 else { continue }
                let event = try decode(LifecycleEvent.self, frame.payload)
                #expect(event.info.containerID == (loss == .prefix ? "d-1" : "c"))
                break
            }
        case .publish, .stop: throw Unexpected("it never goes on")
        }
    }
}

extension Command {
    fileprivate static func with(_ argv: [String], _ change: (inout Command) -> Void) -> Command {
        var command = Command(argv)
        change(&command)
        return command
    }
}
