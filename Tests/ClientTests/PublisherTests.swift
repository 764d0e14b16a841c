import Testing
import Wire

@testable import ExecClient

@Suite(.timeLimit(.minutes(1))) struct PublisherTests {
    @Test func `what is published arrives in order, and the exit comes back`() async throws {
        let received = Seen<PublishRequest>()
        let server = try FakeServer { event, peer in
            guard case .message(let payload, let id) = event,
                let message = try? PublishRequest.decode(payload.span.bytes)
            else { return }
            received.add(message)
            guard case .exit(let exit) = message else { return }
            peer.respond(
                PublishResponse(exit: Exit(code: exit.code, reason: .natural, stdoutBytes: 5)),
                on: id,
            )
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let key = try ExecKey(container: "ci", exec: "42")
        let publisher = client.publish(key, labels: ["a": "b"])
        try await publisher.write([1, 2, 3], to: .stdout)
        try await publisher.write([4], to: .stderr)
        try await publisher.write([UInt8](repeating: 5, count: 70_000), to: .stdout)
        let exit = try await publisher.finish(code: 7, message: "done")
        #expect(exit.code == 7 && exit.stdoutBytes == 5)
        #expect(
            received.all == [
                .register(Register(containerID: "ci", execID: "42", labels: ["a": "b"])),
                .stdout([1, 2, 3]), .stderr([4]),
                .stdout([UInt8](repeating: 5, count: 65536)),
                .stdout([UInt8](repeating: 5, count: 4464)),
                .exit(PublishedExit(code: 7, message: "done")),
            ],
        )
        let error = await #expect(throws: ExecError.self) {
            try await publisher.write([1], to: .stdout)
        }
        #expect(error?.code == .failedPrecondition)
    }

    @Test func `a refusal reaches whoever writes`() async throws {
        let server = try FakeServer { event, peer in
            guard case .message(_, let id) = event else { return }
            peer.fail(ExecError(.alreadyExists, "there is one"), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let publisher = client.publish(try ExecKey(container: "ci", exec: "42"))
        let error = await #expect(throws: ExecError.self) {
            while true { try await publisher.write([1], to: .stdout) }
        }
        #expect(error?.code == .alreadyExists)
    }

    @Test func `a break ends the publication`() async throws {
        let server = try FakeServer { event, peer in
            if case .message = event { peer.close() }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let publisher = client.publish(try ExecKey(container: "ci", exec: "42"))
        let error = await #expect(throws: ExecError.self) { try await publisher.finish(code: 0) }
        #expect(error?.code == .unavailable)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ContainerEventsTests {
    @Test func `events go on after a break where they stopped`() async throws {
        let requests = Seen<ContainerLifecycleRequest>()
        let server = try FakeServer { event, peer in
            guard case .request(.containerLifecycle, let payload, let id) = event,
                let request = try? ContainerLifecycleRequest.decode(payload.span.bytes)
            else { return }
            requests.add(request)
            for sequence in request.afterSequence + 1...UInt64(peer.number) * 2 {
                peer.send(Self.event(sequence), on: id)
            }
            peer.close()
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        var sequences: [UInt64] = []
        for try await event in client.containerEvents("ci") {
            sequences.append(event.sequence)
            if sequences.count == 6 { break }
        }
        #expect(sequences == [1, 2, 3, 4, 5, 6])
        #expect(requests.all.prefix(3).map(\.afterSequence) == [0, 1, 3])
        #expect(requests.all.allSatisfy { $0.containerID == "ci" })
    }

    @Test func `a server that counts anew is told apart: nothing is skipped in silence`() throws {
        var ledger = EventLedger(afterSequence: 0)
        #expect(ledger.subscribing() == 0)
        _ = try ledger.take(Self.event(7))
        #expect(ledger.subscribing() == 6)
        // The same one, then one that has come further meanwhile than it keeps.
        #expect(try ledger.take(Self.event(7)) == nil)
        #expect(try ledger.take(Self.event(9)) == Self.event(9))
        #expect(ledger.subscribing() == 8)
        #expect(try ledger.take(Self.event(20, missed: 11))?.missed == 10)
        for other in [Self.event(20, at: 2), Self.event(21)] {
            #expect(ledger.subscribing() == 19)
            let error = #expect(throws: ExecError.self) { try ledger.take(other) }
            #expect(error?.code == .outOfRange)
        }
        #expect(ledger.refused(ExecError(.outOfRange, "")).message.contains("begin again"))
    }

    @Test func `the first event is not asked for again, since what follows none is what comes now`()
        throws
    {
        var ledger = EventLedger(afterSequence: 0)
        _ = try ledger.take(Self.event(1))
        #expect(ledger.subscribing() == 1)
        #expect(try ledger.take(Self.event(2)) == Self.event(2))
    }

    private static func event(
        _ sequence: UInt64,
        at unixNS: Int64 = 1,
        missed: UInt64 = 0,
    ) -> LifecycleEvent {
        LifecycleEvent(
            sequence: sequence,
            unixNS: unixNS,
            kind: .started,
            info: ExecInfo(containerID: "ci", execID: "e"),
            missed: missed,
        )
    }
}
