import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

@Suite("Viewers of a real exec", .serialized, .timeLimit(.minutes(2)))
struct ViewerTests {
    @Test(
        "10 containers of 5 execs, 3 viewers each, and 100 of 10, 1 viewer each, all at once",
        arguments: [Crowding(10, 5, 3), Crowding(100, 10, 1)]
    )
    func multiplexed(crowding: Crowding) async throws {
        try await Service.run { service in
            let clients = try (0..<crowding.viewers).map { _ in try RawClient(service) }
            for number in 0..<crowding.count {
                for client in clients { try crowding.start(number, client) }
            }
            for client in clients { try crowding.check(client) }
        }
    }

    @Test("An exit is served at 4 s of a retention of 5 s, and is NOT_FOUND at 7 s")
    func lateExit() async throws {
        try await Service.run(
            configure: { ($0.retention, $0.sweepInterval) = (.seconds(5), .seconds(1)) }
        ) { service in
            let exit = try service.run(["sh", "-c", "exit 9"]).exit
            let clock = ContinuousClock()
            let ended = clock.now
            let client = try RawClient(service)
            let wait = ExecWaitRequest(containerID: "test", execID: "one")
            try await clock.sleep(until: ended + .seconds(4))
            let early = try client.call(.execWait, wait, id: 3)
            let info = try decode(ExecWaitResponse.self, early.payload).info
            #expect(info.exit == exit)
            try await clock.sleep(until: ended + .seconds(7))
            #expect(try client.call(.execWait, wait, id: 5).status?.code == .notFound)
        }
    }

    @Test("A stream that is never read stalls no other stream of its connection")
    func oneStalledStream() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var stalled = View()
            stalled.windowBytes = 1
            let flood = Command(["head", "-c", "20000000", "/dev/zero"])
            try client.start(
                Start(containerID: "a", execID: "flood", command: flood, view: stalled),
                id: 3
            )
            // All that a connection may have beside it, open at once.
            let others = 0..<999
            for number in others {
                let command = Command(["sh", "-c", "echo \(number)"])
                try client.start(
                    Start(containerID: "a", execID: "e\(number)", command: command),
                    id: UInt32(number * 2 + 5)
                )
            }
            let said = try client.sessions(Set(others.map { UInt32($0 * 2 + 5) }))
            for number in others {
                #expect(said[UInt32(number * 2 + 5)]?.text(.stdout) == "\(number)\n")
            }
            // With credit it goes on where it was, and misses nothing.
            try client.send(SessionRequest.credit(1 << 40), id: 3)
            let flooded = try client.session(3)
            #expect(flooded.failure == nil)
            #expect(flooded.exit?.stdoutBytes == 20_000_000)
        }
    }

    @Test("A viewer that asks to be cut off when it is slow is, and no other is")
    func disconnected() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let command = Command(["head", "-c", "20000000", "/dev/zero"])
            for (id, slow) in [(3, SlowPolicy.disconnect), (5, .catchUp)] as [(UInt32, SlowPolicy)]
            {
                var view = View()
                view.slow = slow
                view.windowBytes = 1
                try client.start(
                    Start(containerID: "a", execID: "flood", command: command, view: view),
                    id: id
                )
            }
            // Ready, the first's.
            while try client.next().payload.isEmpty {}
            // The ring has moved on by then, and neither has had more than a chunk.
            _ = try await service.registry.instance(try ExecKey(container: "a", exec: "flood"))
                .waitForExit()
            for id: UInt32 in [3, 5] { try client.send(SessionRequest.credit(1 << 40), id: id) }
            let said = try client.sessions([3, 5])
            #expect(said[3]?.failure?.code == .resourceExhausted)
            #expect(said[5]?.exit?.stdoutBytes == 20_000_000)
            #expect(said[5]?.bytes(.stdout).count == 20_000_000)
        }
    }

    /// What a viewer of the exec that has run is told.
    private func attach(
        _ service: Service,
        _ change: (inout View) -> Void,
    ) throws -> Transcript {
        var view = View()
        change(&view)
        let client = try RawClient(service)
        try client.start(
            Start(containerID: "test", execID: "one", command: nil, view: view),
            id: 3
        )
        return try client.session(3)
    }

    @Test("A server that ends waits for viewers that are still to give credit")
    func farewell() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var view = View()
            view.windowBytes = 1_000
            let command = Command(["sh", "-c", "head -c 500000 /dev/zero; exec sleep 60"])
            try client.start(
                Start(containerID: "a", execID: "b", command: command, view: view),
                id: 3
            )
            var first = try client.next()
            while first.header.length < 1_000 { first = try client.next() }
            async let down: Void = service.server.shutDown()
            try client.send(SessionRequest.credit(1 << 40), id: 3)
            let said = try client.session(3)
            await down
            let sent = try decode(SessionResponse.self, first.payload)
            guard case .output(let chunk) = sent else { throw RawClient.Closed() }
            let count = chunk.bytes.count + said.bytes(.stdout).count
            #expect(said.exit?.stdoutBytes == UInt64(count))
            #expect(said.exit?.cause == .shutdown)
        }
    }

    @Test("Views begin where they say, and mark what is replayed")
    func views() async throws {
        try await Service.run { service in
            _ = try service.run([
                "sh", "-c", "for i in 1 2 3 4 5; do echo line$i; sleep 0.02; done",
            ])
            let all = try attach(service) { _ in }
            #expect(all.text(.stdout) == "line1\nline2\nline3\nline4\nline5\n")
            let isReplayed = all.chunks.allSatisfy { $0.replay }
            #expect(isReplayed)
            #expect(all.ready?.firstSequence == 1)
            #expect(all.ready?.lastSequence == all.exit?.lastSequence)
            let last = try #require(all.exit?.lastSequence)
            let live = try attach(service) { $0.from = .live }
            #expect(live.chunks.isEmpty)
            #expect(live.exit == all.exit)
            let resumed = try attach(service) { $0.from = .after(sequence: last - 1) }
            #expect(resumed.chunks.map(\.sequence) == [last])
            let tail = try attach(service) { $0.from = .tail(bytes: 13) }
            #expect(tail.text(.stdout) == "line4\nline5\n")
            let logged = try attach(service) { $0.noFollow = true }
            #expect(logged.exit == all.exit)
            let beyond = try attach(service) { $0.from = .after(sequence: last + 1) }
            #expect(beyond.failure?.code == .outOfRange)
        }
    }

    @Test("What a child writes after its parent has ended is drained, or given up in time")
    func drain() async throws {
        try await Service.run(configure: { $0.drain = .milliseconds(300) }) { service in
            let quick = try service.run(
                ["sh", "-c", "(sleep 0.1; echo late) & echo early"],
                as: "q"
            )
            #expect(quick.text(.stdout) == "early\nlate\n")
            #expect(quick.exit?.drained == true)
            let held = try service.run(["sh", "-c", "sleep 300 & echo done"], as: "h")
            let exit = try #require(held.exit)
            #expect(held.text(.stdout) == "done\n")
            #expect(!exit.drained)
            #expect(exit.code == 0)
            #expect(exit.holderPIDs.count == 1)
            for pid in exit.holderPIDs { kill(pid, SIGKILL) }
        }
    }

    @Test("Publishers are watched like any exec; one that goes away is a RUNTIME_ERROR")
    func publish() async throws {
        try await Service.run { service in
            let publisher = try RawClient(service)
            try publisher.open("Publish", id: 3, flags: .remoteOpen)
            let register = Register(containerID: "ci", execID: "42")
            try publisher.send(PublishRequest.register(register), id: 3)
            try publisher.send(PublishRequest.stdout(Array("out".utf8)), id: 3)
            try publisher.send(PublishRequest.stderr(Array("err".utf8)), id: 3)
            try publisher.send(PublishRequest.exit(PublishedExit(code: 4)), id: 3)
            let answer = try publisher.response(3)
            let exit = try decode(PublishResponse.self, answer.payload).exit
            let viewer = try RawClient(service)
            try viewer.start(Start(containerID: "ci", execID: "42", command: nil), id: 3)
            let said = try viewer.session(3)
            #expect(said.text(.stdout) == "out")
            #expect(said.text(.stderr) == "err")
            #expect(said.exit == exit)
            #expect(exit.code == 4)

            try publisher.open("Publish", id: 5, flags: .remoteOpen)
            try publisher.send(
                PublishRequest.register(Register(containerID: "ci", execID: "43")),
                id: 5
            )
            try publisher.sendEnd(id: 5)
            let farewell = try publisher.response(5)
            let gone = try decode(PublishResponse.self, farewell.payload)
            #expect(gone.exit.reason == .runtimeError)
        }
    }

    @Test("Lifecycle events come in order, can be resumed, and tell what was missed")
    func events() async throws {
        try await Service.run(configure: { $0.eventsMax = 8 }) { service in
            let watcher = try RawClient(service)
            let request = ContainerLifecycleRequest(containerID: "test").encode()
            try watcher.open("ContainerLifecycle", request, id: 3, flags: .remoteClosed)
            // Answered after it, so it has subscribed.
            _ = try watcher.call(.execList, ExecListRequest(), id: 5)
            _ = try service.run(["true"])
            var kinds: [LifecycleEvent.Kind] = []
            var sequences: [UInt64] = []
            while kinds.last != .exited {
                let frame = try watcher.next()
                guard frame.header.type == .data else { continue }
                let event = try decode(LifecycleEvent.self, frame.payload)
                kinds.append(event.kind)
                sequences.append(event.sequence)
            }
            #expect(kinds.first == .registered)
            #expect(kinds.contains(.started))
            #expect(sequences == sequences.sorted())

            for number in 0..<5 { _ = try service.run(["true"], as: "more\(number)") }
            let late = try RawClient(service)
            let resume = ContainerLifecycleRequest(containerID: "test", afterSequence: 1).encode()
            try late.open("ContainerLifecycle", resume, id: 3, flags: .remoteClosed)
            let frame = try late.next()
            let first = try decode(LifecycleEvent.self, frame.payload)
            #expect(first.missed > 0 && first.missed == first.sequence - 2)
        }
    }
}

/// Many small execs in many containers, each telling its own name and number.
struct Crowding: Sendable {
    let containers: Int
    let execs: Int
    let viewers: Int

    init(_ containers: Int, _ execs: Int, _ viewers: Int) {
        (self.containers, self.execs, self.viewers) = (containers, execs, viewers)
    }

    var count: Int { containers * execs }

    private func name(_ number: Int) -> (container: String, exec: String) {
        ("c\(number / execs)", "e\(number % execs)")
    }

    fileprivate func start(_ number: Int, _ client: RawClient) throws {
        let (container, exec) = name(number)
        let command = Command(["sh", "-c", "echo \(container) \(exec); exit \(number % 256)"])
        let start = Start(containerID: container, execID: exec, command: command)
        let payload = SessionRequest.start(start).encode()
        try client.open("Session", payload, id: UInt32(number * 2 + 3), flags: .remoteOpen)
    }

    /// Reads on until all have exited, and holds what came against what each should have said.
    fileprivate func check(_ client: RawClient) throws {
        var output: [UInt32: String] = [:]
        var codes: [UInt32: Int32] = [:]
        while codes.count < count {
            let frame = try client.next()
            try #require(frame.header.type == .data)
            guard !frame.isEnd else { continue }
            let id = frame.header.streamID
            switch try SessionResponse.decode(frame.payload.span.bytes) {
            case .output(let chunk):
                output[id, default: ""] += String(decoding: chunk.bytes, as: UTF8.self)
            case .exit(let exit): codes[id] = exit.code
            default: break
            }
        }
        for number in 0..<count {
            let (id, (container, exec)) = (UInt32(number * 2 + 3), name(number))
            #expect(codes[id] == Int32(number % 256))
            #expect(output[id] == "\(container) \(exec)\n")
        }
    }
}
