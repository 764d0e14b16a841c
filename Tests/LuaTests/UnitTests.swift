import ExecLua
import Glibc
import Kernel
import Testing

/// When the script, or a coroutine that was spawned, ends, nothing of what it acquired is left.
@Suite("Units of work", .timeLimit(.minutes(2)))
struct UnitTests {
    /// Starts three processes that write their numbers to the directory that is the argument.
    private static let three = """
        for i = 1, 3 do
            local p = start("echo $$ > " .. arg[1] .. "/pid" .. i .. "; echo up; exec sleep 1000")
            p:stdout_stream():read()
            held = p
        end

        """

    @Test(
        "no process is left",
        arguments: Form.allCases,
        [
            "return 0",
            "return 3",
            "error('in the middle')",
            "local x = nil; x.y = 1",
            "os.exit(0)",
            "coroutine.spawn(function() held:wait() end) time.sleep(0) error('in the middle')",
            "channel.new():receive()",
            "coroutine.wrap(function() local p = start('exec sleep 1000') error('within') end)()",
            "local p <close> = start('exec sleep 1000') error('in the middle')",
            "setmetatable({}, { __gc = function() held:close() end }) error('in the middle')",
        ]
    )
    func nothingLeft(_ form: Form, _ end: String) async throws {
        try await Stage.run(form) { stage in
            let outcome = try await stage.run(
                prelude + Self.three + end,
                arguments: [stage.directory],
            )
            #expect(outcome.left.isEmpty)
            for index in 1...3 {
                let pid = try Self.pid("\(stage.directory)/pid\(index)")
                #expect(isGone(pid))
            }
            let files = try Files.list(stage.directory)
            #expect(!files.contains { $0.hasPrefix("execstream-lua-") }, "its directory is gone")
        }
    }

    @Test("a process that ignores SIGTERM is killed after the grace", arguments: Form.allCases)
    func stubborn(_ form: Form) async throws {
        try await Stage.run(form) { stage in
            let outcome = try await stage.run(
                prelude + """
                    local p = start("trap '' TERM; echo $$ > " .. arg[1] .. "/pid; echo up; while :; do sleep 1; done")
                    p:stdout_stream():read()
                    error("in the middle")
                    """,
                arguments: [stage.directory],
            ) { options in
                options.resources =
                    (try? ResourceFile.parse(
                        Array(#"{"process:native": {"grace": "100ms"}}"#.utf8),
                    )) ?? [:]
            }
            #expect(outcome.failure.contains("in the middle"))
            #expect(outcome.left.isEmpty)
            #expect(isGone(try Self.pid("\(stage.directory)/pid")))
        }
    }

    @Test("a coroutine's unit ends with it, by return and by error", arguments: Form.allCases)
    func spawned(_ form: Form) async throws {
        try await Stage.run(form) { stage in
            let outcome = try await stage.run(
                prelude + """
                    local results = channel.new(2)
                    for _, fails in ipairs({ true, false }) do
                        local handed = channel.new(1)
                        coroutine.spawn(function()
                            local e = exec.get("process:native")
                            local p = e:exec("echo up; exec sleep 1000")
                            p:start()
                            p:stdout_stream():read()
                            handed:send({ e, p })
                            time.sleep(0)
                            if fails then error("in the middle") end
                        end)
                        local e, p = table.unpack((handed:receive()))
                        local code, message, exit = p:wait()
                        expect('4: 143, nil, "signal", "client"', code, message, exit.reason, exit.cause)
                        raises("the executor is released", e.exec, e, "true")
                        raises("the process is closed", p.stdout_stream, p)
                    end
                    -- What belongs to another unit is not touched.
                    local mine = start("exec cat")
                    coroutine.spawn(function() mine:write_stdin("still here") end)
                    expect('1: "still here"', mine:stdout_stream():read())
                    """
            )
            #expect(outcome.end == .returned(1))
            #expect(outcome.reports.count == 1)
            #expect(outcome.left.isEmpty)
        }
    }

    @Test("an interrupted script releases everything", arguments: Form.allCases)
    func interrupted(_ form: Form) async throws {
        try await Stage.run(form) { stage in
            let ready = Once()
            let reports = Reports()
            let script = try stage.script(
                prelude + Self.three + "coroutine.spawn(function() error('ready') end) held:wait()",
                arguments: [stage.directory],
                reports: reports,
            ) { options in
                options.report = { text in
                    reports.add(text)
                    ready.raise()
                }
            }
            async let end = script.run()
            await ready.wait()
            script.interrupt(SIGINT)
            #expect(await end == .interrupted(SIGINT))
            #expect(reports.all.count == 1)
            for index in 1...3 {
                #expect(isGone(try Self.pid("\(stage.directory)/pid\(index)")))
            }
            #expect(stage.outcome(.returned(0), reports).left.isEmpty)
        }
    }

    @Test("a script whose task is cancelled releases everything", arguments: Form.allCases)
    func cancelled(_ form: Form) async throws {
        try await Stage.run(form) { stage in
            let ready = Once()
            let reports = Reports()
            let script = try stage.script(
                prelude + Self.three + "coroutine.spawn(function() error('ready') end) held:wait()",
                arguments: [stage.directory],
                reports: reports,
            ) { options in
                options.report = { text in
                    reports.add(text)
                    ready.raise()
                }
            }
            let task = Task { await script.run() }
            await ready.wait()
            task.cancel()
            #expect(await task.value == .interrupted(SIGTERM))
            #expect(reports.all.count == 1)
            for index in 1...3 {
                #expect(isGone(try Self.pid("\(stage.directory)/pid\(index)")))
            }
            #expect(stage.outcome(.returned(0), reports).left.isEmpty)
        }
    }

    @Test("an interruption before the first line counts")
    func interruptedAtOnce() async throws {
        try await Stage.run(.embedded) { stage in
            let script = try stage.script("time.sleep('1h')")
            script.interrupt(SIGTERM)
            #expect(await script.run() == .interrupted(SIGTERM))
        }
    }

    @Test("what a script forgets runs on until its unit ends", arguments: Form.allCases)
    func forgotten(_ form: Form) async throws {
        try await Stage.run(form) { stage in
            let outcome = try await stage.run(
                prelude + """
                    local file = arg[1] .. "/written"
                    start("echo $$ > " .. arg[1] .. "/pid; sleep 0.1; echo x > " .. file .. "; exec sleep 1000")
                    for _ = 1, 3 do collectgarbage() time.sleep(0) end
                    while not io.open(file) do time.sleep("10ms") end
                    -- Those that have ended are let go of.
                    for _ = 1, 20 do start("true", { stdin = false }) end
                    for _ = 1, 200 do start("true"):wait() end
                    """,
                arguments: [stage.directory],
            )
            #expect(outcome.end == .returned(0))
            #expect(outcome.left.isEmpty)
            #expect(isGone(try Self.pid("\(stage.directory)/pid")))
        }
    }

    private static func pid(_ path: String) throws -> Int32 {
        let text = String(decoding: try Files.readSmall(path, max: 64), as: UTF8.self)
        guard let pid = Int32(text.split(separator: "\n").first ?? "") else {
            throw Unexpected("\(path) has no number in it")
        }
        return pid
    }
}

/// Something that a test waits for, once.
private final class Once: Sendable {
    private let stream: AsyncStream<Never>
    private let continuation: AsyncStream<Never>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Never.self) }

    func raise() { continuation.finish() }

    func wait() async { for await _ in stream {} }
}
