import ExecCore
import ExecModel
import Glibc
import Kernel
import Testing
import Wire

@testable import ExecServer

@Suite("What one connection may cost", .serialized, .timeLimit(.minutes(1)))
struct ConnectionLimitTests {
    /// A Hello of so many bytes.
    private func hello(_ service: Service, _ bytes: Int) -> HelloRequest {
        let empty = HelloRequest(client: "", token: service.token).encode().count
        // The field's number and a length of three bytes.
        let client = String(repeating: "x", count: bytes - empty - 4)
        return HelloRequest(client: client, token: service.token)
    }

    @Test("Before it has authenticated a message has 64 KiB at most, afterwards 4 MiB")
    func strangers() async throws {
        try await Service.run { service in
            let client = try RawClient(port: service.port)
            let large = try client.call(.hello, hello(service, 70_000))
            #expect(large.status?.code == .resourceExhausted)
            #expect(large.status?.message.contains("65536") == true)
            // The connection lives, and what is small enough is answered.
            #expect(try client.call(.hello, hello(service, 60_000), id: 3).status == nil)
            #expect(try client.call(.hello, hello(service, 70_000), id: 5).status == nil)
            #expect(try client.call(.hello, hello(service, 4_000_000), id: 7).status == nil)
        }
    }

    @Test("What follows the Hello in one go is measured by what that has made of the peer")
    func pipelined() async throws {
        try await Service.run { service in
            let client = try RawClient(port: service.port)
            var bytes = try Frames.request(
                CallRequest(method: "Hello", payload: hello(service, 100).encode()),
                streamID: 1,
                flags: []
            )
            bytes += try Frames.request(
                CallRequest(method: "Hello", payload: hello(service, 90_000).encode()),
                streamID: 3,
                flags: []
            )
            try client.write(bytes)
            #expect(try client.response(1).status == nil)
            #expect(try client.response(3).status == nil)
        }
    }

    @Test("A stranger that sends byte by byte is closed when its time is over, however it goes on")
    func dribble() async throws {
        try await Service.run(options: { $0.authenticationTime = .milliseconds(300) }) { service in
            let client = try RawClient(port: service.port)
            let frame = try Frames.request(
                CallRequest(method: "Hello", payload: hello(service, 30_000).encode()),
                streamID: 1,
                flags: []
            )
            let begin = SystemClocks().now
            var sent = 0
            while !client.isClosed(withinMS: 10) {
                try? client.write([frame[sent]])
                sent += 1
            }
            #expect(sent > 1 && sent < frame.count)
            #expect(SystemClocks().now - begin >= .milliseconds(200))
        }
    }

    @Test("Calls that are much work and have short answers leave others their turn")
    func turns() async throws {
        try await Service.run(options: { $0.loopCount = 1 }) { service in
            for number in 0..<300 {
                let key = try ExecKey(container: "many", exec: "e\(number)")
                _ = try service.registry.register(key)
            }
            let (greedy, other) = (try RawClient(service), try RawClient(service))
            let nothing = ExecListRequest(labels: ["there": "is none"]).encode()
            let ids = (0..<400).map { UInt32($0 * 2 + 3) }
            let calls = try ids.flatMap { id in
                let request = CallRequest(method: "ExecList", payload: nothing)
                return try Frames.request(request, streamID: id)
            }
            let clock = ContinuousClock()
            let begin = clock.now
            try greedy.write(calls)
            _ = try greedy.response(3)
            #expect(
                try other.call(.execStop, ExecStopRequest(containerID: "no", execID: "no"), id: 3)
                    .status != nil
            )
            let waited = clock.now - begin
            for id in ids.dropFirst() { #expect(try greedy.response(id).status == nil) }
            #expect(waited < (clock.now - begin) / 4)
        }
    }

    @Test("What everybody is told of an exec fits a message, whoever made it")
    func toldBytes() async throws {
        try await Service.run { service in
            let large = String(repeating: "x", count: 1 << 20)
            let argv = try service.run(["true", large], as: "a").failure
            #expect(argv?.code == .invalidArgument)
            #expect(argv?.message.contains("they may have 1048576 together") == true)
            let labels = try service.run(["true"], as: "b") { $0.labels = ["l": large] }.failure
            #expect(labels?.code == .invalidArgument)
            let key = try ExecKey(container: "test", exec: "c")
            let error = #expect(throws: ExecError.self) {
                try service.registry.register(key, labels: [large: "x"])
            }
            #expect(error?.code == .invalidArgument)
            #expect(service.registry.instances().isEmpty)
            let published = try service.registry.register(
                key,
                labels: ["l": String(large.dropLast())]
            )
            let exit = published.finish(code: 0, message: large)
            #expect(exit.message.utf8.count == 64 << 10)
            #expect(try RawClient(service).attach("test", "c", id: 3).info.exit == exit)
        }
    }

    @Test("Whoever does not read the answers is not listened to, and then gets them all")
    func unreadAnswers() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let reader = try RawClient(service)
            // Each is refused with a message of about 4 KB.
            let method = String(repeating: "m", count: 4_000)
            let frame = { (id: UInt32) in
                try Frames.request(CallRequest(method: method), streamID: id, flags: [])
            }
            var next: UInt32 = 3
            var rest: [UInt8] = []
            // What both sockets, one read and the answers that wait can hold is far less than this.
            while rest.isEmpty, next < 2 * 20_000 {
                rest = try client.writeSome(try frame(next), withinMS: 2_000)
                next += 2
            }
            #expect(!rest.isEmpty, "all was taken")
            // Nobody else notices.
            #expect(try reader.call(.execList, ExecListRequest(), id: 3).status == nil)
            let answered = stride(from: UInt32(3), to: next - 2, by: 2)
            for id in answered {
                #expect(try client.response(id).status?.code == .unimplemented)
            }
            try client.write(rest)
            #expect(try client.response(next - 2).status?.code == .unimplemented)
        }
    }

    @Test("What a peer has sent behind many calls is heard, also while there is much to be shown")
    func heardBehindOutput() async throws {
        try await Service.run { service in
            for number in 0..<50 {
                let key = try ExecKey(container: "many", exec: "e\(number)")
                let text = String(repeating: "x", count: 1_000)
                _ = try service.registry.register(key, labels: ["text": text])
            }
            let large = try service.registry.register(try ExecKey(container: "c", exec: "e"))
            let block = [UInt8](repeating: 7, count: 1 << 20)
            for _ in 0..<100 { try large.stdout.write(block) }
            let client = try RawClient(service)
            // In one read of the server's: a view of 100 MiB, and calls with 2 MB of answers.
            let view = SessionRequest.start(Start(containerID: "c", execID: "e"))
            let session = try Frames.request(
                CallRequest(method: "Session", payload: view.encode()),
                streamID: 3,
                flags: .remoteOpen
            )
            let list = ExecListRequest(containerID: "many").encode()
            let ids = (0..<40).map { UInt32($0 * 2 + 5) }
            let calls = try ids.flatMap { id in
                let request = CallRequest(method: "ExecList", payload: list)
                return try Frames.request(request, streamID: id)
            }
            try client.write(session + calls)
            var shown = 0
            while true {
                let frame = try client.next()
                if frame.header.streamID == 3 { shown += frame.payload.count }
                if frame.header.streamID == ids.last { break }
            }
            #expect(shown < 50 << 20)
        }
    }

    @Test("One authenticated connection over the limit is refused; there is room once one has gone")
    func connections() async throws {
        try await Service.run(options: { $0.connectionsMax = 2 }) { service in
            let first = try RawClient(service)
            let second = try RawClient(service)
            let third = try RawClient(port: service.port)
            let hello = HelloRequest(client: "x", token: service.token)
            let refusal = try third.call(.hello, hello).status
            #expect(refusal?.code == .resourceExhausted)
            #expect(refusal?.message.contains("2 authenticated connections") == true)
            #expect(third.isClosed(withinMS: 10_000))
            #expect(try first.call(.execList, ExecListRequest(), id: 3).status == nil)
            second.close()
            while (try? RawClient(service)) == nil {}
        }
    }

    @Test("One exec more than there may be, of all or of a container, is RESOURCE_EXHAUSTED")
    func execs() async throws {
        try await Service.run(configure: { ($0.instancesMax, $0.instancesPerContainerMax) = (3, 2) }
        ) {
            service in
            for exec in ["a", "b"] { #expect(try service.run(["true"], as: exec).exit != nil) }
            let full = try service.run(["true"], as: "c").failure
            #expect(full?.code == .resourceExhausted)
            #expect(full?.message.contains("container test has 2 execs") == true)
            #expect(try service.run(["true"], as: "a", container: "other").exit != nil)
            let all = try service.run(["true"], as: "b", container: "other").failure
            #expect(all?.code == .resourceExhausted)
            #expect(all?.message.contains("3 execs at most") == true)
        }
    }
}
