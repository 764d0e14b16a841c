import ExecClient
import Testing
import Wire

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
            let next = UInt64(peer.number) * 2 - 1
            for sequence in next...next + 1 {
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
        #expect(requests.all.prefix(3).map(\.afterSequence) == [0, 2, 4])
        #expect(requests.all.allSatisfy { $0.containerID == "ci" })
    }

    private static func event(_ sequence: UInt64) -> LifecycleEvent {
        LifecycleEvent(
            sequence: sequence,
            unixNS: 1,
            kind: .started,
            info: ExecInfo(containerID: "ci", execID: "e"),
        )
    }
}
