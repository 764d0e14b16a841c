import ExecLua
import Testing

@Suite("The scheduler of coroutines", .timeLimit(.minutes(1)))
struct SchedulerTests {
    private func check(_ text: String) async throws {
        let outcome = try await run(.embedded, prelude + text)
        #expect(outcome.end == .returned(0))
        #expect(outcome.reports == [])
    }

    @Test("a call that waits suspends its coroutine and nothing else")
    func suspension() async throws {
        try await check(
            """
            local order = {}
            local done = channel.new()
            local p = start("read line; echo $line")
            coroutine.spawn(function()
                order[#order + 1] = "reading"
                local data = p:stdout_stream():read()
                order[#order + 1] = data
                done:send(true)
            end)
            coroutine.spawn(function()
                order[#order + 1] = "sleeping"
                time.sleep("20ms")
                order[#order + 1] = "writing"
                p:write_stdin("hello\\n")
            end)
            done:receive()
            expect('1: "reading sleeping writing hello\\\\\\n"', table.concat(order, " "))
            """
        )
    }

    @Test("spawn passes arguments, and gives the coroutine")
    func spawn() async throws {
        try await check(
            """
            local results = channel.new(1)
            local co = coroutine.spawn(function(...) results:send(show(...)) end, 1, nil, "x", nil)
            expect('1: "thread"', type(co))
            expect("1: " .. string.format("%q", '4: 1, nil, "x", nil'), (results:receive()))
            raises("bad argument #1", coroutine.spawn, 1)
            expect('2: false, "cannot resume a coroutine that was spawned: the scheduler does that"', coroutine.resume(co))
            """
        )
    }

    @Test("coroutine.yield lets others run")
    func yield() async throws {
        try await check(
            """
            local text = ""
            local done = channel.new()
            for _, name in ipairs({ "a", "b" }) do
                coroutine.spawn(function()
                    for _ = 1, 3 do
                        text = text .. name
                        expect("0: ", coroutine.yield("ignored"))
                    end
                    done:send(true)
                end)
            end
            done:receive()
            done:receive()
            expect('1: "ababab"', text)
            """
        )
    }

    @Test("time.sleep takes text and seconds, and no nonsense")
    func sleep() async throws {
        try await check(
            """
            local before = time.now()
            -- What the script does first does not shorten its sleep.
            while time.now() - before < 0.03 do end
            before = time.now()
            expect("0: ", time.sleep("20ms"))
            expect("0: ", time.sleep(0.02))
            expect("0: ", time.sleep(0))
            assert(time.now() - before > 0.039)
            for _, wrong in ipairs({ "", "1", "s", "1d", "-1s", "1s ", ".s", "1e3s", -1, 0 / 0, 1 / 0 }) do
                raises("is not a time", time.sleep, wrong)
            end
            raises("bad argument #1", time.sleep)
            raises("bad argument #1", time.sleep, {})
            assert(math.abs(time.now() - os.time()) < 2)
            """
        )
    }

    @Test("errors in calls that wait can be caught, with their position")
    func catching() async throws {
        try await check(
            """
            local ok, message = pcall(function()
                local p = native:exec("true", { work_dir = "/none" })
                p:start()
            end)
            assert(not ok and message:find("script.lua:4: ", 1, true), message)
            local ok, message = xpcall(function() time.sleep("10ms") error("after") end, function(e)
                return "handled " .. e:match("after")
            end)
            expect('2: false, "handled after"', ok, message)
            """
        )
    }

    @Test("where nothing can wait, it is said and nothing is done")
    func obstacles() async throws {
        try await check(
            """
            local p = start("cat")
            local out = p:stdout_stream()
            local seen
            table.sort({ 1, 2 }, function()
                raises("nothing can be waited for here", time.sleep, 0)
                local failed, message = p:write_stdin("lost")
                seen = message
                assert(failed == nil)
                raises("nothing can be waited for here", channel.new().receive, channel.new())
                raises("nothing can be waited for here", coroutine.wrap(function() time.sleep(0) end))
            end)
            assert(seen:find("nothing can be waited for here", 1, true))
            local co = coroutine.create(function()
                local _ <close> = setmetatable({}, { __close = function() time.sleep(0) end })
                coroutine.yield()
            end)
            coroutine.resume(co)
            local ok, message = coroutine.close(co)
            assert(not ok and message:find("nothing can be waited for here", 1, true), message)
            expect("2: true, nil", p:write_stdin("kept"))
            p:close_stdin()
            expect('1: "kept"', all(out))
            """
        )
    }

    @Test("modules may wait while they are loaded")
    func requiring() async throws {
        try await Stage.run(.embedded) { stage in
            let outcome = try await stage.run(
                prelude + """
                    package.path = arg[1] .. "/?.lua"
                    local file = io.open(arg[1] .. "/slow.lua", "w")
                    file:write('time.sleep("5ms") local e = require("exec").get("process:native") return { e, ... }')
                    file:close()
                    local slow, where = require("slow")
                    expect('2: "slow", "' .. arg[1] .. '/slow.lua"', slow[2], where)
                    assert(rawequal(require("slow"), slow))
                    raises("module 'none.such' not found:", require, "none.such")
                    raises("no field package.preload['none.such']", require, "none.such")
                    package.preload.given = function(...) return nil end
                    expect('2: true, ":preload:"', require("given"))
                    assert(require("channel") == channel and require("time") == time)
                    """,
                arguments: [stage.directory],
            )
            #expect(outcome.end == .returned(0))
        }
    }
}
