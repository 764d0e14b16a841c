import ExecCore
import ExecModel
import Kernel
import Synchronization
import Testing
import Wire

@testable import ExecServer

@Suite("What takes a loop more than a turn", .timeLimit(.minutes(1)))
struct SlicedWorkTests {
    @Test("is done in steps, in turn, and what else there is for the loop comes between them")
    func steps() throws {
        let group = try EventLoopGroup(count: 1, name: "test")
        defer { group.shutdown() }
        let loop = group.loops[0]
        let events = Mutex<[String]>([])
        let isDone = Atomic(false)
        loop.execute {
            let work = SlicedWork(on: loop)
            for name in ["a", "b"] {
                var left = 40
                work.add {
                    // Kept here, so that it lives as long as its jobs.
                    withExtendedLifetime(work) {}
                    let end = SystemClocks().now + .milliseconds(1)
                    while SystemClocks().now < end {}
                    events.withLock { $0.append(name) }
                    left -= 1
                    if left == 20 { loop.execute { events.withLock { $0.append("other") } } }
                    if left == 0, name == "b" { isDone.store(true, ordering: .releasing) }
                    return left > 0
                }
            }
        }
        while !isDone.load(ordering: .acquiring) {}
        let told = events.withLock { $0 }
        #expect(told.filter { $0 == "a" }.count == 40)
        #expect(told.filter { $0 == "b" }.count == 40)
        let others = told.indices.filter { told[$0] == "other" }
        #expect(others.count == 2)
        #expect(others.allSatisfy { $0 < told.count - 20 })
        let jobs = told.filter { $0 != "other" }
        #expect(zip(jobs, jobs.dropFirst()).allSatisfy { $0 != $1 })
    }

    @Test("A list looks at 64 execs in a step, and has them all in order, each once")
    func listing() async throws {
        try await Service.run { service in
            for number in 0..<1_000 {
                let key = try ExecKey(container: "c\(number % 3)", exec: "e\(number)")
                _ = try service.registry.register(key, labels: ["n": "\(number % 2)"])
            }
            let some = GatheredExecs(.list(), from: service.registry, of: "c1") { _ in true }
            var steps = 1
            while some.step() { steps += 1 }
            // 333 of them; a step may end early by its time.
            #expect(steps >= 6)

            let client = try RawClient(service)
            let wanted = service.registry.instances().map(\.info)
            let all = try client.list(ExecListRequest(), id: 3)
            #expect(!all.truncated)
            #expect(all.execs == wanted)
            let labelled = try client.list(ExecListRequest(labels: ["n": "1"]), id: 5)
            #expect(labelled.execs == wanted.filter { $0.labels["n"] == "1" })
            let ofOne = try client.list(ExecListRequest(containerID: "c2"), id: 7)
            #expect(ofOne.execs == wanted.filter { $0.containerID == "c2" })
        }
    }

    @Test("A connection with many calls lets go of all of them when it ends")
    func departures() async throws {
        try await Service.run { service in
            let instance = try service.registry.register(
                try ExecKey(container: "test", exec: "e")
            )
            for round in 1...3 {
                let client = try RawClient(service)
                let start = Start(containerID: "test", execID: "e")
                for id in 0..<300 {
                    try client.open(
                        "Session",
                        SessionRequest.start(start).encode(),
                        id: UInt32(id * 2 + 3),
                        flags: .remoteOpen
                    )
                }
                var ready = 0
                while ready < 300 { if try client.next().header.type == .data { ready += 1 } }
                #expect(instance.info.viewers == 300, "round \(round)")
                client.close()
                while instance.info.viewers > 0 { await Task.yield() }
            }
        }
    }

    @Test("Small messages of a publisher that arrive together are one chunk of each stream")
    func gathering() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var bytes = try Frames.request(
                CallRequest(
                    method: "Publish",
                    payload: PublishRequest.register(Register(containerID: "test", execID: "e"))
                        .encode()
                ),
                streamID: 3,
                flags: .remoteOpen
            )
            for number in 0..<300 {
                let byte = [UInt8(ascii: "a") + UInt8(number % 26)]
                let message: PublishRequest = number < 200 ? .stdout(byte) : .stderr(byte)
                bytes += try Frames.data(message, streamID: 3)
            }
            bytes += try Frames.data(
                PublishRequest.exit(PublishedExit(code: 3)),
                streamID: 3,
                flags: .remoteClosed
            )
            try client.write(bytes)
            let payload = try client.response(3).payload
            let answer = try PublishResponse.decode(payload.span.bytes)
            #expect(answer.exit.stdoutBytes == 200 && answer.exit.stderrBytes == 100)
            // In one segment, most likely; in a few at most.
            #expect(answer.exit.lastSequence < 20)
            let told = try RawClient(service).attach("test", "e", id: 3)
            #expect(told.info.exit?.code == 3)
        }
    }
}

extension RawClient {
    fileprivate func list(_ request: ExecListRequest, id: UInt32) throws -> ExecListResponse {
        let response = try call(.execList, request, id: id)
        return try ExecListResponse.decode(response.payload.span.bytes)
    }
}
