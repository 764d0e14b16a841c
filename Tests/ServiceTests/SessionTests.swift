import ExecModel
import Testing
import Wire

@Suite("A session, from its start to its exit", .timeLimit(.minutes(1)))
struct SessionTests {
    @Test("carries each stream on its own, and ends with the code")
    func streamsAndCode() async throws {
        try await Service.run { service in
            let said = try service.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
            #expect(said.ready?.joined == false)
            #expect(said.text(.stdout) == "out\n")
            #expect(said.text(.stderr) == "err\n")
            let exit = try #require(said.exit)
            #expect(exit.code == 7)
            #expect(exit.reason == .natural)
            #expect(exit.cause == .unspecified)
            #expect(exit.drained)
            #expect(exit.stdoutBytes == 4)
            #expect(exit.stderrBytes == 4)
            #expect(exit.lastSequence == UInt64(said.chunks.count))
            #expect(said.chunks.map(\.sequence) == Array(1...exit.lastSequence))
        }
    }

    @Test("tells a command that is not there as 127 with one clear line")
    func notFound() async throws {
        try await Service.run { service in
            let said = try service.run(["no-such-command"])
            let exit = try #require(said.exit)
            #expect(exit.code == 127)
            #expect(exit.reason == .startFailed)
            #expect(exit.message.contains("no-such-command"))
        }
    }

    @Test("feeds stdin, sent before the answer to Start, and ends it by CloseStdin")
    func stdin() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["cat"])
            command.stdin = true
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            try client.send(SessionRequest.stdin(Array("hello".utf8)), id: 3)
            try client.send(SessionRequest.closeStdin, id: 3)
            let said = try client.session(3)
            #expect(said.text(.stdout) == "hello")
            #expect(said.exit?.code == 0)
        }
    }

    @Test("ends stdin when its only writer half-closes, and goes on to send output")
    func halfClose() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["sh", "-c", "cat; echo after"])
            command.stdin = true
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            try client.send(SessionRequest.stdin(Array("x".utf8)), id: 3, flags: .remoteClosed)
            let said = try client.session(3)
            #expect(said.text(.stdout) == "xafter\n")
            #expect(said.exit?.code == 0)
        }
    }

    @Test("gives credit for stdin as the exec takes it, and refuses more than that")
    func stdinCredit() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["sleep", "60"])
            command.stdin = true
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            let block = [UInt8](repeating: 1, count: 64 << 10)
            for _ in 0..<3 { try client.send(SessionRequest.stdin(block), id: 3) }
            let said = try client.session(3)
            #expect(said.failure?.code == .resourceExhausted)
        }
    }

    @Test("moves 8 MiB through stdin and stdout unchanged, within the credit")
    func bulkStdin() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var command = Command(["cat"])
            command.stdin = true
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            let data = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
            var sent = 0
            var echoed: [UInt8] = []
            var exit: Exit?
            while exit == nil {
                let frame = try client.next()
                guard frame.header.type == .data, !frame.isEnd else { continue }
                var credit = 0
                switch try SessionResponse.decode(frame.payload.span.bytes) {
                case .ready(let ready): credit = Int(ready.stdinCredit)
                case .stdinCredit(let bytes): credit = Int(bytes)
                case .output(let output): echoed += output.bytes
                case .exit(let told): exit = told
                default: break
                }
                let count = min(credit, data.count - sent)
                if count > 0 {
                    let bytes = Array(data[sent..<(sent + count)])
                    try client.send(SessionRequest.stdin(bytes), id: 3)
                    sent += count
                    if sent == data.count { try client.send(SessionRequest.closeStdin, id: 3) }
                }
            }
            #expect(echoed == data)
            #expect(exit?.code == 0)
        }
    }

    @Test("joins an exec that runs already, and refuses another command under its name")
    func exactlyOnce() async throws {
        try await Service.run { service in
            let first = try service.run(["sh", "-c", "echo $$"])
            let second = try service.run(["sh", "-c", "echo $$"])
            #expect(second.ready?.joined == true)
            #expect(second.text(.stdout) == first.text(.stdout))
            #expect(second.exit == first.exit)
            let other = try service.run(["true"])
            #expect(other.failure?.code == .alreadyExists)
        }
    }

    @Test("signals the whole group, and tells the signal")
    func signal() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let command = Command(["sh", "-c", "sleep 60 & echo up; wait"])
            try client.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            while try client.next().payload.isEmpty {}
            try client.send(SessionRequest.signal(SignalRequest(9)), id: 3)
            let exit = try #require(try client.session(3).exit)
            #expect(exit.code == 137)
            #expect(exit.signal == 9)
            #expect(exit.reason == .signal)
            #expect(exit.drained)
        }
    }

    @Test("of a read-only viewer refuses stdin")
    func readOnly() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            var view = View()
            view.readOnly = true
            var command = Command(["sleep", "60"])
            command.stdin = true
            try client.start(
                Start(containerID: "a", execID: "b", command: command, view: view),
                id: 3
            )
            try client.send(SessionRequest.stdin([1]), id: 3)
            #expect(try client.session(3).failure?.code == .permissionDenied)
        }
    }

    @Test("runs 200 at once on one connection, every code right")
    func manyOnOneConnection() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            for number in 0..<200 {
                let command = Command(["sh", "-c", "exit \(number)"])
                let start = Start(containerID: "a", execID: "e\(number)", command: command)
                try client.start(start, id: UInt32(number * 2 + 1))
            }
            var codes: [UInt32: Int32] = [:]
            while codes.count < 200 {
                let frame = try client.next()
                guard frame.header.type == .data, !frame.isEnd else { continue }
                if case .exit(let exit) = try SessionResponse.decode(frame.payload.span.bytes) {
                    codes[frame.header.streamID] = exit.code
                }
            }
            for number in 0..<200 { #expect(codes[UInt32(number * 2 + 1)] == Int32(number)) }
        }
    }
}
