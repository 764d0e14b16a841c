import ExecClient
import ExecModel
import Testing

@testable import ExecLua

@Suite("Output: what is held, and what falls behind")
struct OutputTests {
    private func chunk(
        _ sequence: UInt64,
        _ stream: ExecStream,
        _ count: Int,
    ) -> SessionEvent.Output {
        SessionEvent.Output(
            sequence: sequence,
            offset: 0,
            unixNS: 0,
            replay: false,
            stream: stream,
            bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: count),
        )
    }

    private func taken(_ taken: ProcessOutput.Taken) -> Int? {
        if case .bytes(let bytes) = taken { return bytes.count }
        return nil
    }

    @Test("small chunks come together, large ones as they are")
    func pieces() {
        var output = ProcessOutput()
        output.add(chunk(1, .stdout, 10), isAwaited: false)
        output.add(chunk(2, .stdout, 20), isAwaited: false)
        output.add(chunk(3, .stdout, 64 << 10), isAwaited: false)
        output.add(chunk(4, .stdout, 5), isAwaited: false)
        #expect(taken(output.take(.stdout, max: .max)) == 30)
        #expect(taken(output.take(.stdout, max: .max)) == 64 << 10)
        #expect(taken(output.take(.stdout, max: .max)) == 5)
        #expect(output.take(.stdout, max: .max) == .nothing)
    }

    @Test("no more than is asked for, and nothing lost")
    func max() {
        var output = ProcessOutput()
        output.add(chunk(1, .stderr, 10), isAwaited: false)
        output.add(chunk(2, .stderr, 10), isAwaited: false)
        var counts: [Int] = []
        while let count = taken(output.take(.stderr, max: 7)) { counts.append(count) }
        #expect(counts.reduce(0, +) == 20)
        #expect(counts.allSatisfy { $0 <= 7 })
    }

    @Test("a stream over the bound falls behind, from the first chunk that is let go")
    func behind() {
        var output = ProcessOutput()
        var sequence: UInt64 = 0
        while output.hasRoom {
            sequence += 1
            output.add(chunk(sequence, .stderr, 64 << 10), isAwaited: false)
        }
        #expect(!output.isBehind(.stderr))
        output.add(chunk(sequence + 1, .stderr, 1), isAwaited: false)
        #expect(output.isBehind(.stderr))
        #expect(output.hasRoom, "what it held is let go of")
        #expect(output.take(.stderr, max: .max) == .behind(after: 0))
        // It stays so, and the other stream goes on.
        output.add(chunk(sequence + 2, .stderr, 1), isAwaited: true)
        output.add(chunk(sequence + 3, .stdout, 1), isAwaited: false)
        #expect(output.take(.stderr, max: .max) == .behind(after: 0))
        #expect(taken(output.take(.stdout, max: .max)) == 1)
    }

    @Test("a chunk of which the first part was read is kept, since the log has whole ones")
    func begun() {
        var output = ProcessOutput()
        output.add(chunk(7, .stdout, 10), isAwaited: false)
        #expect(taken(output.take(.stdout, max: 3)) == 3)
        var sequence: UInt64 = 7
        while output.hasRoom {
            sequence += 1
            output.add(chunk(sequence, .stdout, 64 << 10), isAwaited: false)
        }
        output.add(chunk(sequence + 1, .stdout, 1), isAwaited: false)
        #expect(taken(output.take(.stdout, max: .max)) == 7)
        #expect(output.take(.stdout, max: .max) == .behind(after: 7))
    }

    @Test("what is awaited always has room")
    func awaited() {
        var output = ProcessOutput()
        while output.hasRoom { output.add(chunk(1, .stderr, 64 << 10), isAwaited: false) }
        output.add(chunk(2, .stdout, 64 << 10), isAwaited: true)
        #expect(taken(output.take(.stdout, max: .max)) == 64 << 10)
    }

    @Test("a closed stream holds nothing")
    func closed() {
        var output = ProcessOutput()
        output.add(chunk(1, .stdout, 10), isAwaited: false)
        output.close(.stdout)
        output.add(chunk(2, .stdout, 10), isAwaited: false)
        #expect(output.take(.stdout, max: .max) == .nothing)
        #expect(output.hasRoom)
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
