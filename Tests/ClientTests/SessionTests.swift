import ExecClient
import Testing
import Wire

@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    @Test func `output comes in order, and the exit last`() async throws {
        let server = try FakeServer { event, peer in
            guard let (start, id) = event.start else { return }
            #expect(start.command?.argv == ["true"])
            #expect(start.view.windowBytes == 1 << 20)
            peer.send(Self.ready, on: id)
            peer.send(Self.chunk(1, at: 0, "ab"), on: id)
            peer.send(Self.chunk(2, at: 0, "e", .stderr), on: id)
            peer.send(SessionResponse.ended(Ended(code: 3)), on: id)
            peer.send(Self.exit(last: 2, out: 2, err: 1), on: id)
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        var kinds: [String] = []
        for try await event in client.run(Self.key, Command(["true"])).events {
            switch event {
            case .ready: kinds.append("ready")
            case .output(let output): kinds.append(String(decoding: output.bytes, as: UTF8.self))
            case .ended: kinds.append("ended")
            case .exit(let exit): kinds.append("exit \(exit.code)")
            default: kinds.append("?")
            }
        }
        #expect(kinds == ["ready", "ab", "e", "ended", "exit 3"])
    }

    @Test func `after a break it goes on, without a lost or doubled chunk`() async throws {
        let starts = Seen<Start>()
        let server = try FakeServer { event, peer in
            guard let (start, id) = event.start else { return }
            starts.add(start)
            switch peer.number {
            case 1:
                // Broken before the answer: whether it was started is not known.
                peer.close()
            case 2:
                peer.send(Self.ready, on: id)
                peer.send(Self.chunk(1, at: 0, "one"), on: id)
                peer.send(Self.chunk(2, at: 3, "two"), on: id)
                peer.close()
            case 3:
                peer.send(Self.ready, on: id)
                peer.send(SessionResponse.ended(Ended(code: 0)), on: id)
                peer.close()
            default:
                peer.send(Self.ready, on: id)
                // Said again, and a chunk that was seen.
                peer.send(SessionResponse.ended(Ended(code: 0)), on: id)
                peer.send(Self.chunk(2, at: 3, "two"), on: id)
                peer.send(Self.chunk(3, at: 6, "three"), on: id)
                peer.send(Self.exit(last: 3, out: 11, err: 0), on: id)
                peer.end(id)
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        var text = ""
        var (readies, ends, resumptions) = (0, 0, 0)
        for try await event in client.run(Self.key, Command(["x"])).events {
            switch event {
            case .ready: readies += 1
            case .output(let output): text += String(decoding: output.bytes, as: UTF8.self)
            case .ended: ends += 1
            case .resumed(let resumption):
                resumptions += 1
                #expect(!resumption.stdinUncertain)
            default: break
            }
        }
        #expect(text == "onetwothree")
        #expect(readies == 1 && ends == 1 && resumptions == 2)
        let seen = starts.all
        #expect(seen.map { $0.command != nil } == [true, true, false, false])
        #expect(
            seen.map(\.view.from) == [.start, .start, .after(sequence: 2), .after(sequence: 2)],
        )
    }

    @Test func `an exec that is gone after a break is said to be`() async throws {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            if peer.number == 1 {
                peer.send(Self.ready, on: id)
                return peer.close()
            }
            peer.fail(ExecError(.notFound, "no such exec"), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let error = await #expect(throws: ExecError.self) {
            try await client.attach(Self.key).exit()
        }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("after it came back") == true)
    }

    @Test func `a server that stays away is given up`() async throws {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            peer.send(Self.ready, on: id)
            peer.close()
        }
        defer { server.stop() }
        var options = ClientOptions()
        options.resumeLimit = .zero
        let client = try ExecClient(address: server.address, options: options)
        defer { client.close() }
        let error = await #expect(throws: ExecError.self) {
            try await client.attach(Self.key).exit()
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("did not come back") == true)
    }

    @Test(arguments: [
        [Self.chunk(2, at: 0, "x")],
        [Self.chunk(1, at: 5, "x")],
        [Self.chunk(1, at: 0, "x"), Self.exit(last: 1, out: 2, err: 0)],
        [Self.chunk(1, at: 0, "x"), Self.exit(last: 2, out: 1, err: 0)],
    ])
    func `missing output is data loss`(messages: [SessionResponse]) async throws {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            peer.send(Self.ready, on: id)
            for message in messages { peer.send(message, on: id) }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let error = await #expect(throws: ExecError.self) {
            try await client.attach(Self.key).exit()
        }
        #expect(error?.code == .dataLoss)
    }

    @Test func `a stream that ends before the exit is an error, unless the view does not follow`()
        async throws
    {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            peer.send(Self.ready, on: id)
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let error = await #expect(throws: ExecError.self) {
            try await client.attach(Self.key).exit()
        }
        #expect(error?.code == .aborted)
        var view = View()
        view.noFollow = true
        #expect(try await client.attach(Self.key, view: view).exit() == nil)
    }

    @Test func `credit is granted for what was taken, and not before`() async throws {
        let chunk = [UInt8](repeating: 120, count: 1000)
        let credits = Seen<UInt64>()
        let server = try FakeServer { event, peer in
            if let (start, id) = event.start {
                #expect(start.view.windowBytes == 200_000)
                peer.send(Self.ready, on: id)
                for number in 1...200 { peer.send(Self.chunk(number, chunk), on: id) }
                peer.send(SessionResponse.gap(Self.gap), on: id)
            } else if case .request(.execList, _, let id) = event {
                peer.respond(ExecListResponse(execs: []), on: id)
            } else if case (.credit(let bytes, _), let id)? = event.session {
                credits.add(bytes)
                guard credits.all.count == 1 else { return }
                peer.send(Self.exit(last: 300, out: 200_000, err: 0), on: id)
                peer.end(id)
            }
        }
        defer { server.stop() }
        var view = View()
        view.windowBytes = 200_000
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.attach(Self.key, view: view)
        var iterator = session.events.makeAsyncIterator()
        // Ready and 99 chunks: one short of half the window. A call there and back on the same
        // connection proves that no credit was on its way.
        for _ in 0..<100 { _ = try await iterator.next() }
        _ = try await client.list()
        #expect(credits.all == [])
        while try await iterator.next() != nil {}
        // How much more was taken before the loop came by is a matter of chance.
        #expect(credits.all.allSatisfy { $0 >= 100_000 })
        #expect((100_000...200_000).contains(credits.all.reduce(0, +)))
    }

    @Test func `stdin goes as far as its credit, and its end after it`() async throws {
        let received = Seen<SessionRequest>()
        let server = try FakeServer { event, peer in
            guard case (let message, let id)? = event.session else { return }
            switch message {
            case .start: peer.send(Self.ready(credit: 3), on: id)
            case .closeStdin:
                peer.send(Self.exit(last: 0, out: 0, err: 0), on: id)
                peer.end(id)
            default:
                received.add(message)
                peer.send(SessionResponse.stdinCredit(2), on: id)
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.run(Self.key, Command(["cat"]))
        try await session.send([1, 2, 3, 4, 5, 6])
        try await session.closeStdin()
        #expect(try await session.exit()?.code == 3)
        #expect(received.all == [.stdin([1, 2, 3]), .stdin([4, 5]), .stdin([6])])
        let error = await #expect(throws: ExecError.self) { try await session.send([1]) }
        #expect(error?.code == .failedPrecondition)
    }

    @Test func `stdin that may be lost in a break is told`() async throws {
        let server = try FakeServer { event, peer in
            guard case (let message, let id)? = event.session else { return }
            switch message {
            case .start: peer.send(Self.ready(credit: 100), on: id)
            case .stdin([1]): peer.close()
            case .stdin:
                peer.send(Self.exit(last: 0, out: 0, err: 0), on: id)
                peer.end(id)
            default: break
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.run(Self.key, Command(["cat"]))
        var iterator = session.events.makeAsyncIterator()
        _ = try await iterator.next()
        try await session.send([1])
        guard case .resumed(let resumption)? = try await iterator.next() else {
            Issue.record("it did not resume")
            return
        }
        #expect(resumption.stdinUncertain)
        let error = await #expect(throws: ExecError.self) { try await session.send([2]) }
        #expect(error?.code == .aborted)
        try await session.send([3])
        #expect(try await session.exit()?.code == 3)
    }

    @Test func `an end of stdin that was lost in a break is sent again, and the bytes before told`()
        async throws
    {
        let server = try FakeServer { event, peer in
            guard case (let message, let id)? = event.session else { return }
            switch message {
            case .start: peer.send(Self.ready(credit: 100), on: id)
            case .closeStdin where peer.number == 1: peer.close()
            case .closeStdin:
                peer.send(Self.exit(last: 0, out: 0, err: 0), on: id)
                peer.end(id)
            default: break
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.run(Self.key, Command(["cat"]))
        try await session.send([1])
        try await session.closeStdin()
        var isUncertain = false
        var code: Int32?
        for try await event in session.events {
            if case .resumed(let resumption) = event { isUncertain = resumption.stdinUncertain }
            if case .exit(let exit) = event { code = exit.code }
        }
        #expect(isUncertain)
        #expect(code == 3)
    }

    @Test func `closing the client ends those who wait for a connection to come back`() async throws
    {
        let server = try FakeServer { event, peer in
            if let (_, id) = event.start { peer.send(Self.ready, on: id) }
            guard case .request(.containerLifecycle, _, let id) = event else { return }
            let info = ExecInfo(containerID: "c", execID: "e")
            peer.send(LifecycleEvent(sequence: 1, unixNS: 1, kind: .started, info: info), on: id)
        }
        let client = try ExecClient(address: server.address)
        let session = client.attach(Self.key)
        let events = client.containerEvents()
        _ = try await session.events.first { _ in true }
        _ = try await events.first { _ in true }
        server.stop()
        let exit = Task { try await session.exit() }
        let event = Task { try await events.first { _ in true } }
        let sent = Task { try await session.send([1]) }
        client.close()
        let error = await #expect(throws: ExecError.self) { try await exit.value }
        #expect(error?.code == .cancelled)
        await #expect(throws: ExecError.self) { try await event.value }
        await #expect(throws: ExecError.self) { try await sent.value }
    }

    @Test func `a session that is let go of says goodbye, and the connection goes with the last`()
        async throws
    {
        let (events, continuation) = AsyncStream.makeStream(of: String.self)
        let server = try FakeServer { event, peer in
            if let (_, id) = event.start { peer.send(Self.ready, on: id) }
            if case .halfClose = event { continuation.yield("half-close") }
            if case .gone = event { continuation.yield("gone") }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let first = Task { try await client.attach(Self.key).exit() }
        let second = client.attach(Self.key)
        var iterator = second.events.makeAsyncIterator()
        _ = try await iterator.next()
        var told = events.makeAsyncIterator()
        first.cancel()
        let error = await #expect(throws: ExecError.self) { try await first.value }
        #expect(error?.code == .cancelled)
        #expect(await told.next() == "half-close")
        second.close()
        #expect(await told.next() == "half-close")
        #expect(await told.next() == "gone")
    }

    @Test func `messages of a newer server are skipped`() async throws {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            peer.send(Self.ready, on: id)
            // Field 99, of length 0.
            var frame: [UInt8] = []
            FrameHeader(length: 3, streamID: id, type: .data).append(to: &frame)
            peer.write(frame + [0x9A, 0x06, 0x00])
            peer.send(Self.exit(last: 0, out: 0, err: 0), on: id)
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        #expect(try await client.attach(Self.key).exit()?.code == 3)
    }

    @Test func `signals sent before there is a connection arrive after the start`() async throws {
        let server = try FakeServer { event, peer in
            guard case (let message, let id)? = event.session else { return }
            switch message {
            case .start: peer.send(Self.ready, on: id)
            case .signal(let signal):
                #expect(signal == SignalRequest(15))
                peer.send(Self.exit(last: 0, out: 0, err: 0), on: id)
                peer.end(id)
            default: break
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.run(Self.key, Command(["sleep"]))
        try await session.signal(SignalRequest(15))
        #expect(try await session.exit()?.code == 3)
    }
}

extension SessionTests {
    static let key = {
        guard let key = try? ExecKey(container: "c", exec: "e") else { fatalError("a valid key") }
        return key
    }()

    static let ready = ready(credit: 0)

    static let gap = Gap(firstSequence: 201, lastSequence: 300, stdoutBytes: 0, stderrBytes: 0)

    static func ready(credit: UInt64) -> SessionResponse {
        .ready(Ready(info: ExecInfo(containerID: "c", execID: "e"), stdinCredit: credit))
    }

    static func chunk(
        _ sequence: UInt64,
        at offset: UInt64,
        _ text: String,
        _ stream: ExecStream = .stdout,
    ) -> SessionResponse {
        .output(
            Output(
                sequence: sequence,
                offset: offset,
                unixNS: 1,
                replay: false,
                stream: stream,
                bytes: Array(text.utf8),
            ),
        )
    }

    /// One of many chunks of equal size.
    static func chunk(_ number: Int, _ bytes: [UInt8]) -> SessionResponse {
        .output(
            Output(
                sequence: UInt64(number),
                offset: UInt64((number - 1) * bytes.count),
                unixNS: 1,
                replay: false,
                stream: .stdout,
                bytes: bytes,
            ),
        )
    }

    static func exit(last: UInt64, out: UInt64, err: UInt64) -> SessionResponse {
        .exit(
            Exit(code: 3, reason: .natural, lastSequence: last, stdoutBytes: out, stderrBytes: err),
        )
    }
}
