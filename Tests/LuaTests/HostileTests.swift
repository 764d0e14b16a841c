import ExecLua
import Testing

/// Scripts that do what no script should. Each must end as a script ends, or raise; none may touch
/// memory that is not its own. `.ci/address-sanitizer` runs them too.
@Suite(
    "Scripts that attack the module by finalizers, metamethods and coroutines",
    .timeLimit(.minutes(2))
)
struct HostileTests {
    struct Attack: Sendable, CustomTestStringConvertible {
        var title: String
        var text: String
        /// What the script fails with; empty: it ends with 0.
        var failure = ""

        var testDescription: String { title }
    }

    /// `storm(f)` calls `f` at each collection from now on, and all garbage is collected whenever Lua
    /// may. `calm()` ends that.
    private static let storm = """
        local raging = false; local function storm(f) raging = true; \
        local function arm() setmetatable({}, { __gc = function() \
        if raging then f(); arm() end end }) end; \
        arm(); collectgarbage("incremental", 1, 1000, 100) end; \
        local function calm() raging = false; collectgarbage("incremental", 200, 100, 13) end;

        """

    @Test("end as scripts end, or raise", arguments: attacks)
    func attack(_ attack: Attack) async throws {
        let outcome = try await run(.embedded, prelude + Self.storm + attack.text)
        if attack.failure.isEmpty {
            #expect(outcome.end == .returned(0))
        } else {
            #expect(outcome.failure.contains(attack.failure), "\(outcome.end)")
        }
        #expect(outcome.reports == [])
    }

    private static let attacks =
        environmentAttacks + channelAttacks + coroutineAttacks + objectAttacks + endAttacks

    private static let environmentAttacks = [
        Attack(
            title: "env grows while it is read",
            text: """
                local env, count = {}, 0
                for i = 1, 20 do env["A" .. i] = i end
                storm(function()
                    if count > 5000 then return end
                    for i = 1, 100 do count = count + 1; env["B" .. count] = "x" end
                end)
                for i = 1, 20 do native:exec("true", { env = env }) end
                calm()
                assert(count > 5000)
                """
        ),
        Attack(
            title: "env loses its names and values while it is read",
            text: """
                local env, count = {}, 0
                storm(function()
                    for name in next, env do env[name] = nil end
                    for i = 1, 8 do count = count + 1; env["N" .. count] = count + 0.5 end
                end)
                for i = 1, 50 do
                    local p = native:exec("env", { env = env })
                    if i == 50 then
                        calm()
                        p:start()
                        assert(all(p:stdout_stream()):find("N%d+=%d+%.5"))
                    end
                end
                """
        ),
        Attack(
            title: "options change while they are read",
            text: """
                local options = { env = { A = 1 }, tty = { rows = 10, term = "vt100" }, timeout = "9s" }
                local turn = 0
                storm(function()
                    turn = turn + 1
                    options.work_dir = turn % 2 == 0 and "/" or nil
                    options.env = { ["A" .. turn] = turn }
                    options.tty = turn % 3 > 0 and { rows = turn % 9 + 1, term = "t" .. turn } or nil
                    options.timeout = turn % 4 > 0 and turn .. "s" or nil
                end)
                for i = 1, 100 do assert(native:exec("echo " .. i, options)) end
                calm()
                """
        ),
        Attack(
            title: "options and env have metamethods that raise, yield, or make more",
            text: """
                local function with(meta) return setmetatable({}, meta) end
                local bad = function() error("from a metamethod") end
                raises("from a metamethod", native.exec, native, "x", with { __index = bad })
                raises("yield", native.exec, native, "x", with { __index = coroutine.yield })
                raises("must be a string", native.exec, native, "x", with { __index = function() return {} end })
                native:exec("x", { env = with { __index = bad, __pairs = bad, __len = bad, __newindex = bad } })
                local deep = setmetatable({}, {})
                getmetatable(deep).__index = deep
                raises("loop", native.exec, native, "x", deep)
                raises("NUL", native.exec, native, "x", { env = { ["A\\0B"] = "1" } })
                raises("UTF-8", native.exec, native, "x", { env = { A = "\\xFF" } })
                local many = {}
                for i = 1, 2000 do many["V" .. i] = i end
                native:exec("x", { env = many })
                """
        ),
    ]

    private static let channelAttacks = [
        Attack(
            title: "finalizers use the channel that is being used",
            text: """
                local c, sent, got = channel.new(4), 0, 0
                local turn = 0
                storm(function()
                    turn = turn + 1
                    if turn % 2 == 0 then pcall(c.send, c, { turn }) else pcall(c.receive, c) end
                end)
                coroutine.spawn(function()
                    for i = 1, 50 do c:send({ i }); sent = sent + 1; time.sleep(0) end
                    calm()
                    c:close()
                end)
                while true do
                    local value, ok = c:receive()
                    if not ok then break end
                    assert(type(value) == "table")
                    got = got + 1
                end
                assert(sent == 50)
                """
        ),
        Attack(
            title: "a finalizer closes the channel on which others wait",
            text: """
                local c, woken = channel.new(), 0
                for i = 1, 20 do
                    coroutine.spawn(function()
                        local ok = pcall(i % 2 == 0 and c.send or c.receive, c, i)
                        woken = woken + 1
                    end)
                end
                time.sleep(0.01)
                storm(function() pcall(c.close, c) end)
                for i = 1, 10 do local t = { i } end
                calm()
                while woken < 20 do time.sleep(0.001) end
                """
        ),
    ]

    private static let coroutineAttacks = [
        Attack(
            title: "finalizers spawn, wrap, resume, close and wait",
            text: """
                local main, count, spawned = coroutine.running(), 0, 0
                storm(function()
                    count = count + 1
                    assert(not pcall(time.sleep, 0))
                    assert(not pcall(exec.get, "process:none"))
                    assert(not coroutine.resume(main))
                    assert(not pcall(coroutine.close, main))
                    assert(coroutine.wrap(function(...) return select("#", ...) end)(1, nil) == 2)
                    assert(not pcall(coroutine.wrap(function() time.sleep(1) end)))
                    assert(not pcall(os.exit, 7))
                    if spawned < 20 then
                        spawned = spawned + 1
                        coroutine.spawn(function() local t = { "x" }; time.sleep(0); return t end)
                    end
                end)
                for i = 1, 100 do
                    local co = coroutine.create(function(a) local b = coroutine.yield({ a }); error({ b }) end)
                    assert(coroutine.resume(co, i))
                    assert(not coroutine.resume(co, i))
                end
                calm()
                assert(count > 100)
                """
        ),
        Attack(
            title: "more arguments and results than a stack holds",
            text: """
                local most = {}
                local function much(count) return table.unpack(most, 1, count) end
                local function all(...) return ... end
                assert(not coroutine.resume(coroutine.create(all), much(900000)))
                coroutine.resume(coroutine.create(function() return much(900000) end), much(90000))
                assert(not pcall(coroutine.wrap(all), much(900000)))
                assert(not pcall(function(...) return coroutine.wrap(much)(900000), ... end, much(200000)))
                pcall(coroutine.spawn, function() end, much(990000))
                assert(select("#", coroutine.wrap(all)(much(100000))) == 100000)
                """
        ),
        Attack(
            title: "coroutines in coroutines, until C has no more stack",
            text: """
                local depth = 0
                local function dive()
                    depth = depth + 1
                    return coroutine.wrap(dive)()
                end
                raises("C stack overflow", dive)
                assert(depth > 100)
                local function sink() return coroutine.resume(coroutine.create(sink)) end
                sink()
                """
        ),
        Attack(
            title: "searchers of require that raise, yield and change the list",
            text: """
                local searchers = package.searchers
                table.insert(searchers, 1, function(name)
                    for i = 1, 50 do searchers[i] = nil end
                    collectgarbage()
                    return "\\n\\tnothing here"
                end)
                raises("module 'none' not found", require, "none")
                package.searchers = setmetatable({}, { __index = error })
                raises("not found", require, "none")
                package.searchers = 7
                raises("must be a table", require, "none")
                """
        ),
    ]

    private static let objectAttacks = [
        Attack(
            title: "objects that were collected are used again",
            text: """
                local saved = {}
                for i = 1, 20 do
                    local p = native:exec("echo " .. i)
                    if i % 2 == 0 then p:start(); saved[#saved + 1] = p:stdout_stream() end
                    setmetatable({ p = p, e = exec.get("process:native") }, { __gc = function(o)
                        saved[#saved + 1] = o.p
                        saved[#saved + 1] = o.e
                    end })
                end
                collectgarbage(); collectgarbage()
                time.sleep(0.01)
                collectgarbage(); collectgarbage()
                assert(#saved >= 30)
                for _, object in ipairs(saved) do
                    for _, name in ipairs { "info", "wait", "close", "read", "start", "release", "stdout_stream",
                        "write_stdin", "signal", "resize", "exec" } do
                        if object[name] then pcall(object[name], object, 1, 1) end
                    end
                end
                """
        ),
        Attack(
            title: "finalizers ask the process that is being asked",
            text: """
                local p = start("cat")
                local out = p:stdout_stream()
                storm(function()
                    p:stdout_stream(); p:stderr_stream()
                    p:info(); p:write_stdin("y"); p:signal(0); out:read(); p:resize(1, 1)
                end)
                for i = 1, 10 do
                    assert(p:write_stdin("x\\n"))
                    assert(out:read() == "x\\n")
                    assert(p:info().state == "running")
                end
                storm(function() p:close(true) end)
                for i = 1, 10 do p:info(); p:stderr_stream() end
                calm()
                """,
            failure: "the process is closed"
        ),
        Attack(
            title: "methods are called with other objects, and metatables stay out of reach",
            text: """
                local p, c = native:exec("true"), channel.new()
                for _, object in ipairs { p, c, native } do
                    assert(getmetatable(object) == false)
                    assert(not pcall(setmetatable, object, {}))
                    for _, other in ipairs { p, c, native, io.stdout, {}, "x", 1, print } do
                        for _, name in ipairs { "start", "wait", "send", "receive", "exec", "release", "close" } do
                            if object ~= other and object[name] then
                                assert(name == "close" and other == io.stdout or not pcall(object[name], other))
                            end
                        end
                    end
                end
                """
        ),
    ]

    private static let endAttacks = [
        Attack(
            title: "an error whose text raises",
            text: "error(setmetatable({}, { __tostring = function() error('again') end }))",
            failure: "an error that can't be described"
        ),
        Attack(
            title: "an error whose text is no text",
            text: "error(setmetatable({}, { __tostring = function() return {} end }))",
            failure: "an error that can't be described"
        ),
        Attack(
            title: "an error is made while garbage is collected",
            text: """
                storm(function() local t = { {} } end)
                local function dive(n) if n == 0 then error({ "deep" }) end; return dive(n - 1) + 1 end
                dive(100)
                """,
            failure: "error object is a table value"
        ),
        Attack(
            title: "everything is called once more when the state is closed",
            text: """
                local p = start("cat")
                local q, c, out = native:exec("true"), channel.new(1), p:stdout_stream()
                local function last()
                    for _, call in ipairs {
                        { c.send, c, 1 }, { c.send, c, 1 }, { c.receive, c }, { c.receive, c }, { c.close, c },
                        { p.info, p }, { p.wait, p }, { p.write_stdin, p, "x" }, { out.read, out },
                        { q.start, q }, { native.exec, native, "x", { env = { A = 1 } } }, { exec.get, "process:native" },
                        { time.sleep, 1 }, { coroutine.spawn, print }, { os.exit, 3 }, { p.close, p }, { native.release, native },
                        { coroutine.wrap(function() time.sleep(1) end) }, { require, "none" },
                    } do pcall(table.unpack(call)) end
                end
                keep = setmetatable({}, { __gc = last })
                coroutine.spawn(function()
                    local closing <close> = setmetatable({}, { __close = last })
                    time.sleep(1000)
                end)
                time.sleep(0.01)
                """
        ),
    ]
}
