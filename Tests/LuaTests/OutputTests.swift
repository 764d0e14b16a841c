import ExecClient
import ExecModel
import Testing

@testable import ExecLua

@Suite("Output: what is held, and what falls behind")
struct OutputTests {
    /// The value, and what it says in few words: what fails is shown, and all its bytes would be.
    private final class Probe {
        private var output = ProcessOutput()

        func add(_ sequence: UInt64, _ stream: ExecStream, _ count: Int, isAwaited: Bool = false) {
            let chunk = SessionEvent.Output(
                sequence: sequence,
                offset: 0,
                unixNS: 0,
                replay: false,
                stream: stream,
                bytes: [UInt8](repeating: 0, count: count),
            )
            output.add(chunk, isAwaited: isAwaited)
        }

        /// Adds chunks after this sequence until there is no room; answers the last sequence.
        func fill(_ stream: ExecStream, after sequence: UInt64 = 0) -> UInt64 {
            var last = sequence
            while output.hasRoom {
                last += 1
                add(last, stream, 64 << 10)
            }
            return last
        }

        func take(_ stream: ExecStream, max: Int = .max) -> String {
            switch output.take(stream, max: max) {
            case .bytes(let bytes): "\(bytes.count)"
            case .nothing: "nothing"
            case .behind(let sequence): "behind \(sequence)"
            }
        }

        func close(_ stream: ExecStream) { output.close(stream) }

        var hasRoom: Bool { output.hasRoom }

        func isBehind(_ stream: ExecStream) -> Bool { output.isBehind(stream) }
    }

    @Test("small chunks come together, large ones as they are")
    func pieces() {
        let output = Probe()
        output.add(1, .stdout, 10)
        output.add(2, .stdout, 20)
        output.add(3, .stdout, 64 << 10)
        output.add(4, .stdout, 5)
        let taken = (1...4).map { _ in output.take(.stdout) }
        #expect(taken == ["30", "65536", "5", "nothing"])
    }

    @Test("no more than is asked for, and nothing lost")
    func max() {
        let output = Probe()
        output.add(1, .stderr, 10)
        output.add(2, .stderr, 10)
        var counts: [Int] = []
        while let count = Int(output.take(.stderr, max: 7)) { counts.append(count) }
        #expect(counts.reduce(0, +) == 20)
        #expect(counts.allSatisfy { $0 <= 7 })
    }

    @Test("a stream over the bound falls behind, from the first chunk that is let go")
    func behind() {
        let output = Probe()
        let last = output.fill(.stderr)
        #expect(!output.isBehind(.stderr))
        output.add(last + 1, .stderr, 1)
        #expect(output.isBehind(.stderr))
        #expect(output.hasRoom, "what it held is let go of")
        #expect(output.take(.stderr) == "behind 0")
        // It stays so, and the other stream goes on.
        output.add(last + 2, .stderr, 1, isAwaited: true)
        output.add(last + 3, .stdout, 1)
        #expect(output.take(.stderr) == "behind 0")
        #expect(output.take(.stdout) == "1")
    }

    @Test("a chunk of which the first part was read is kept, since the log has whole ones")
    func begun() {
        let output = Probe()
        output.add(7, .stdout, 10)
        #expect(output.take(.stdout, max: 3) == "3")
        let last = output.fill(.stdout, after: 7)
        output.add(last + 1, .stdout, 1)
        #expect(output.take(.stdout) == "7")
        #expect(output.take(.stdout) == "behind 7")
    }

    @Test("what is awaited always has room")
    func awaited() {
        let output = Probe()
        let last = output.fill(.stderr)
        output.add(last + 1, .stdout, 64 << 10, isAwaited: true)
        #expect(output.take(.stdout) == "65536")
    }

    @Test("a closed stream holds nothing")
    func closed() {
        let output = Probe()
        output.add(1, .stdout, 10)
        output.close(.stdout)
        output.add(2, .stdout, 10)
        #expect(output.take(.stdout) == "nothing")
        #expect(output.hasRoom)
    }
}

@Suite("Output that the server could not keep", .timeLimit(.minutes(1)))
struct LostOutputTests {
    @Test("is told to who reads its stream from the log, and what follows it still comes")
    func lost() async throws {
        try await Stage.run(.server) { stage in
            let client = try ExecClient(address: "unix:\(stage.directory)/socket")
            defer { client.close() }
            let key = try ExecKey(container: "test", exec: "one")
            var command = Command(["sh", "-c", "head -c 5000000 /dev/zero >&2; echo end"])
            command.limits.logBytesMax = 1 << 20
            try await client.run(key, command).exit()
            let stderr = Follower(key, .stderr, after: 0, client: client)
            let error = await #expect(throws: ExecError.self) { try await stderr.next(max: .max) }
            #expect(error?.code == .dataLoss)
            let rest = try await Self.rest(of: stderr)
            #expect((1..<5_000_000).contains(rest.count))
            // Of this one nothing is lost.
            let stdout = Follower(key, .stdout, after: 0, client: client)
            let text = try await Self.rest(of: stdout)
            #expect(String(decoding: text, as: UTF8.self) == "end\n")
        }
    }

    private static func rest(of follower: Follower) async throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try await follower.next(max: .max)
            if piece.isEmpty { return all }
            all += piece
        }
    }
}

@Suite("Output of real processes", .timeLimit(.minutes(2)))
struct LargeOutputTests {
    private func check(_ form: Form, _ text: String) async throws {
        let outcome = try await run(form, prelude + text)
        #expect(outcome.end == .returned(0))
        #expect(outcome.reports == [])
        #expect(outcome.left.isEmpty)
    }

    @Test("all of it comes, in order", arguments: Form.allCases)
    func complete(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("seq 1 300000")
            local text = all(p:stdout_stream())
            expect("1: 1988895", #text)
            local next = 1
            for number in text:gmatch("%d+") do
                assert(tonumber(number) == next)
                next = next + 1
            end
            expect("1: 0", (p:wait()))
            """
        )
    }

    @Test("one stream after the other, whatever the other holds", arguments: Form.allCases)
    func oneAfterTheOther(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("seq 1 200000 >&2; seq 1 100; seq 1 200000 >&2; echo end")
            local out = all(p:stdout_stream())
            expect('1: "end\\\\\\n"', out:sub(-4))
            local err = all(p:stderr_stream())
            expect("1: 2577790", #err)
            local count = 0
            for number in err:gmatch("%d+") do
                assert(tonumber(number) == count % 200000 + 1)
                count = count + 1
            end
            expect("1: 400000", count)
            expect("1: 0", (p:wait()))
            """
        )
    }

    @Test(
        "wait does not stall, and what was asked for can be read after it",
        arguments: Form.allCases
    )
    func waitFirst(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("seq 1 300000; seq 1 300000 >&2; exit 5")
            local out = p:stdout_stream()
            expect('1: "1"', out:read(1))
            expect("1: 5", (p:wait()))
            expect("1: 1988894", #all(out))
            expect("2: nil, nil", out:read())
            """
        )
    }

    @Test("what nobody reads does not grow", arguments: Form.allCases)
    func bounded(_ form: Form) async throws {
        try await check(
            form,
            """
            local function resident()
                for line in io.lines("/proc/self/status") do
                    local kib = line:match("^VmRSS:%s+(%d+)")
                    if kib then return tonumber(kib) end
                end
            end
            local before = resident()
            local p = start("head -c 300000000 /dev/zero; echo done >&2; exec sleep 1000")
            local out = p:stdout_stream()
            expect('1: "done\\\\\\n"', p:stderr_stream():read())
            time.sleep("100ms")
            local grown = resident() - before
            assert(grown < 50000, grown .. " KiB more")
            local total = 0
            while total < 300000000 do total = total + #out:read() end
            expect("1: 300000000", total)
            """
        )
    }

    @Test("closing a stream early lets the process finish", arguments: Form.allCases)
    func closeEarly(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("seq 1 300000; echo last >&2")
            local out = p:stdout_stream()
            out:read()
            out:close()
            expect('1: "last\\\\\\n"', all(p:stderr_stream()))
            expect("1: 0", (p:wait()))
            """
        )
    }

    @Test("large stdin through cat", arguments: Form.allCases)
    func stdin(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("cat")
            local block = string.rep("0123456789abcdef", 1 << 16)
            coroutine.spawn(function()
                for _ = 1, 8 do assert(p:write_stdin(block)) end
                assert(p:close_stdin())
            end)
            expect("1: true", all(p:stdout_stream()) == string.rep(block, 8))
            """
        )
    }
}
