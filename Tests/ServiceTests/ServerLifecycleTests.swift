import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Synchronization
import Testing
import Wire

@Suite("A server", .serialized, .timeLimit(.minutes(1)))
struct ServerLifecycleTests {
    private final class Events: Sendable {
        private let said = Mutex<[String]>([])

        var all: [String] { said.withLock { $0 } }

        func add(_ event: ServerEvent) {
            let name =
                switch event {
                case .starting: "starting"
                case .started: "started"
                case .stopping: "stopping"
                case .stopped: "stopped"
                case .failed: "failed"
                }
            said.withLock { $0.append(name) }
        }
    }

    private func makeServer(on listen: [String], _ events: Events) throws -> ExecServer {
        var options = ServerOptions(listen: listen)
        options.onEvent = { events.add($0) }
        options.loopCount = 1
        let registry = ExecSessionRegistry(
            configuration: RegistryConfiguration(stateDirectory: temporaryDirectory())
        )
        return try ExecServer(registry: registry, options: options)
    }

    private func end(_ server: ExecServer) {
        try? Files.removeTree(server.registry.configuration.stateDirectory)
    }

    @Test("tells what it is doing, and everybody who waits that it is over")
    func events() async throws {
        let events = Events()
        let server = try makeServer(on: ["tcp:127.0.0.1:0"], events)
        defer { end(server) }
        async let early: Void = server.wait()
        _ = try server.start()
        #expect(events.all == ["starting", "started"])
        async let one: Void = server.shutDown()
        async let two: Void = server.shutDown()
        async let waiting: Void = server.wait()
        _ = await (one, two, waiting, early)
        #expect(events.all == ["starting", "started", "stopping", "stopped"])
        await server.shutDown()
        await server.wait()
    }

    @Test("that can't listen is over, and says so to those who wait")
    func failing() async throws {
        let events = Events()
        let server = try makeServer(on: ["tcp:127.0.0.1:0", "unix:/nowhere/at/all"], events)
        defer { end(server) }
        async let early: Void = server.wait()
        #expect(throws: ExecError.self) { try server.start() }
        await early
        await server.shutDown()
        #expect(events.all == ["starting", "failed"])
    }

    @Test("is shut down politely by a task that is cancelled, too")
    func cancelled() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let script = "trap 'sleep 0.2; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
            let command = Command(["sh", "-c", script])
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            try client.waitForOutput("ready\n", 3)
            let down = Task { await service.server.shutDown() }
            down.cancel()
            let exit = try client.session(3).exit
            await down.value
            #expect((exit?.code, exit?.cause) == (5, .shutdown))
        }
    }

    @Test("that never started can be shut down")
    func unstarted() async throws {
        let server = try makeServer(on: ["tcp:127.0.0.1:0"], Events())
        defer { end(server) }
        await server.shutDown()
        await server.wait()
    }

    @Test("that ends takes no new exec, and every one that it had taken gets its exit")
    func startsWhileEnding() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
            let command = Command(["sh", "-c", script])
            try client.start(Start(containerID: "a", execID: "first", command: command), id: 3)
            try client.waitForOutput("ready\n", 3)
            async let down: Void = service.server.shutDown(grace: .milliseconds(700))
            // Started again and again, as a supervisor does that sees its execs end.
            var id: UInt32 = 5
            var refusals = 0
            var exits = 0
            while refusals == 0, id < 2_000 {
                let next = Start(
                    containerID: "a",
                    execID: "e\(id)",
                    command: Command(["sleep", "60"])
                )
                try client.start(next, id: id)
                id += 2
                let frame = try client.next()
                if frame.header.type == .response {
                    let status = try CallResponse.decode(frame.payload.span.bytes).status
                    #expect(status?.code == .unavailable)
                    refusals += 1
                }
            }
            while let frame = try? client.next() {
                guard frame.header.type == .data, !frame.isEnd else { continue }
                let message = try decode(SessionResponse.self, frame.payload)
                if case .exit(let exit) = message {
                    #expect(exit.cause == .shutdown)
                    exits += 1
                }
            }
            await down
            #expect(refusals == 1)
            #expect(exits >= 1)
            let unfinished = service.registry.instances().filter { $0.exit == nil }
            #expect(unfinished.isEmpty)
        }
    }

    @Test("does not touch children that are not its own")
    func foreignChildren() async throws {
        try await Service.run { service in
            _ = try service.run(["true"])
            var ends = try Pipe.make()
            let out = ends.takeWriteEnd()
            let child = try Spawn.start(
                SpawnRequest(argv: ["true"]),
                stdin: try Files.open("/dev/null", .readOnly),
                stdout: out,
                stderr: out
            )
            // A zombie from here on.
            while ProcessRecord.read(child.pid)?.hasEnded == false { await Task.yield() }
            await service.server.shutDown()
            #expect(try child.collect()?.code == 0)
        }
    }

    @Test("lets go of an exec once that is forgotten")
    func forgotten() async throws {
        try await Service.run(configure: { $0.retention = .zero }) { service in
            weak var instance: ExecInstance?
            try {
                _ = try service.run(["sh", "-c", "echo x"])
                instance = try service.registry.instance(
                    try ExecKey(container: "test", exec: "one")
                )
            }()
            #expect(instance != nil)
            _ = try service.registry.remove(try ExecKey(container: "test", exec: "one"))
            let deadline = ContinuousClock.now + .seconds(5)
            while instance != nil, ContinuousClock.now < deadline { await Task.yield() }
            #expect(instance == nil)
        }
    }
}
