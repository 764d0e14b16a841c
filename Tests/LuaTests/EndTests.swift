import ExecLua
import Testing

@Suite("How a script ends", .timeLimit(.minutes(1)))
struct EndTests {
    @Test("a deadlock ends the script, and says where each waits")
    func deadlock() async throws {
        let outcome = try await run(
            .embedded,
            """
            local a, b = channel.new(), channel.new()
            coroutine.spawn(function()
                b:send(1)
            end)
            local wrapped = coroutine.wrap(function()
                return a:receive()
            end)
            wrapped()
            """
        )
        let lines = outcome.failure.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0].hasPrefix("deadlock: "))
        #expect(lines[1].hasSuffix("script.lua:6: in 'receive' (the script)"))
        #expect(lines[2].contains("script.lua:3: in 'send' (the coroutine spawned at "))
    }

    @Test("an error has a traceback; so has one in a coroutine, which ends that alone")
    func failures() async throws {
        let failed = try await run(.embedded, "local function f()\n  error('boom')\nend\nf()")
        #expect(failed.failure.contains("script.lua:2: boom\nstack traceback:"))
        #expect(failed.failure.contains("script.lua:4: in main chunk"))
        let object = try await run(
            .embedded,
            "error(setmetatable({}, { __tostring = function() return 'it' end }))"
        )
        #expect(object.failure.hasPrefix("it\nstack traceback:"))
        let table = try await run(.embedded, "error({})")
        #expect(table.failure.hasPrefix("(error object is a table value)"))

        let spawned = try await run(
            .embedded,
            "coroutine.spawn(function() error('inside') end)\ntime.sleep('5ms')"
        )
        #expect(spawned.end == .returned(1), "what has failed does not look like success")
        #expect(spawned.reports.count == 1)
        #expect(spawned.reports.first?.contains("script.lua:1: inside\nstack traceback:") == true)
        let other = try await run(
            .embedded,
            "coroutine.spawn(function() error('inside') end)\ntime.sleep('5ms') return 5"
        )
        #expect(other.end == .returned(5))
    }

    @Test(
        "the script's value is the exit code",
        arguments: [
            ("", .returned(0)), ("return", .returned(0)), ("return nil", .returned(0)),
            ("return 0", .returned(0)), ("return 255, 1", .returned(255)),
            ("return 3.0", .returned(3)),
            ("os.exit(9)", .returned(9)), ("os.exit(true)", .returned(0)),
            ("os.exit(false)", .returned(1)),
            ("pcall(os.exit, 4) return 5", .returned(4)),
            ("coroutine.spawn(function() os.exit(6) end) time.sleep('1m')", .returned(6)),
            ("coroutine.wrap(function() os.exit(7) end)()", .returned(7)),
        ] as [(String, ScriptEnd)]
    )
    func exitCode(_ text: String, _ end: ScriptEnd) async throws {
        let outcome = try await run(.embedded, text)
        #expect(outcome.end == end)
    }

    @Test(
        "what can't be an exit code is an error",
        arguments: [
            ("return 256", "256"), ("return -1", "-1"), ("return 'x'", "a string"),
            ("return {}", "a table"),
            ("return 1.5", "a number"), ("return true", "a boolean"),
        ]
    )
    func noExitCode(_ text: String, _ what: String) async throws {
        let outcome = try await run(.embedded, text)
        #expect(outcome.failure.hasPrefix("the script returned \(what);"))
    }

    @Test("the script gets its arguments")
    func arguments() async throws {
        let outcome = try await run(
            .embedded,
            prelude + """
                expect('2: "a b", ""', ...)
                expect('2: "a b", ""', table.unpack(arg))
                assert(arg[0]:find("script.lua$"))
                """,
            arguments: ["a b", ""],
        )
        #expect(outcome.end == .returned(0))
    }

    @Test("what can't be read or parsed is told")
    func unreadable() async throws {
        try await Stage.run(.embedded) { stage in
            let end = await stage.script(at: "\(stage.directory)/none.lua").run()
            #expect(
                end
                    == .unreadable(
                        "cannot open \(stage.directory)/none.lua: No such file or directory"
                    )
            )
            let syntax = try await stage.run("local = 1")
            #expect(syntax.failure.contains("script.lua:1: <name> expected near '='"))
        }
    }
}
