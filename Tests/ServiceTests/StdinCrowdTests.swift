import ExecModel
import Testing
import Wire

/// Clients that type into one exec, each within the credit that it was given.
@Suite("Many clients that write to one exec's stdin", .timeLimit(.minutes(2)))
struct StdinCrowdTests {
    @Test("of any number, each sends a line and all arrive whole", arguments: [20, 1_000])
    func lines(_ count: Int) async throws {
        try await Service.run { service in
            let owner = try RawClient(service)
            var command = Command(["cat"])
            command.stdin = true
            try owner.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            _ = try owner.next()
            var crowd: [Typist] = []
            for start in stride(from: 0, to: count, by: 500) {
                let typist = Typist(
                    client: try RawClient(service),
                    numbers: start..<min(start + 500, count)
                )
                try typist.attach()
                crowd.append(typist)
            }
            for typist in crowd { try typist.type() }
            var text = ""
            var lines = 0
            while lines < count {
                let frame = try owner.next()
                guard frame.header.type == .data,
                    case .output(let output) = try SessionResponse.decode(frame.payload.span.bytes)
                else { continue }
                text += String(decoding: output.bytes, as: UTF8.self)
                lines += output.bytes.count { $0 == 10 }
            }
            let expected = (0..<count).map(Typist.line)
            #expect(Set(text.split(separator: "\n").map(String.init)) == Set(expected))
            #expect(lines == count)
        }
    }

    @Test("one that sends 8 MiB is given a whole window beside 500 that are idle")
    func bulkBesideIdle() async throws {
        try await Service.run { service in
            let owner = try RawClient(service)
            var command = Command(["wc", "-c"])
            command.stdin = true
            try owner.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            _ = try owner.next()
            let idle = Typist(client: try RawClient(service), numbers: 0..<500)
            try idle.attach()
            let writer = try RawClient(service)
            try writer.start(Start(containerID: "a", execID: "b"), id: 3)
            let total = 8 << 20
            let block = [UInt8](repeating: 120, count: 64 << 10)
            var (sent, credit, most) = (0, 0, 0)
            while sent < total {
                let frame = try writer.next()
                guard frame.header.type == .data else { continue }
                switch try SessionResponse.decode(frame.payload.span.bytes) {
                case .ready(let ready): credit += Int(ready.stdinCredit)
                case .stdinCredit(let bytes): credit += Int(bytes)
                default: continue
                }
                most = max(most, credit)
                let count = min(credit, total - sent, block.count)
                try writer.send(SessionRequest.stdin(Array(block[..<count])), id: 3)
                sent += count
                credit -= count
            }
            try writer.send(SessionRequest.closeStdin, id: 3)
            #expect(try owner.session(3).text(.stdout) == "\(total)\n")
            // Credit is told in steps of 16 KiB.
            #expect(most >= 12 << 10)
        }
    }
}

/// Clients on one connection, each with a stream of its own and no interest in output.
private struct Typist {
    let client: RawClient
    let numbers: Range<Int>

    static func line(_ number: Int) -> String { "line of client \(number)" }

    /// Attaches all, and checks that each may send its line.
    func attach() throws {
        var view = View()
        view.from = .live
        view.windowBytes = 1
        for number in numbers {
            try client.start(Start(containerID: "a", execID: "b", view: view), id: id(number))
        }
        var credits: [UInt32: UInt64] = [:]
        while credits.count < numbers.count {
            let frame = try client.next()
            guard frame.header.type == .data,
                case .ready(let ready) = try SessionResponse.decode(frame.payload.span.bytes)
            else { continue }
            credits[frame.header.streamID] = ready.stdinCredit
        }
        for number in numbers {
            let line = Self.line(number) + "\n"
            let credit = try #require(credits[id(number)])
            try #require(credit >= line.utf8.count, "client \(number) has a credit of \(credit)")
        }
    }

    /// Has each send its line.
    func type() throws {
        for number in numbers {
            let line = Array("\(Self.line(number))\n".utf8)
            try client.send(SessionRequest.stdin(line), id: id(number))
        }
    }

    private func id(_ number: Int) -> UInt32 { UInt32(2 * (number - numbers.lowerBound) + 3) }
}
