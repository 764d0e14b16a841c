import ExecLua
import Testing

@Suite("The script's own coroutines", .timeLimit(.minutes(1)))
struct CoroutineTests {
    private func check(_ text: String) async throws {
        let outcome = try await run(.embedded, prelude + text)
        #expect(outcome.end == .returned(0))
        #expect(outcome.reports == [])
    }

    @Test("a wait passes through the script's own coroutines")
    func ownCoroutines() async throws {
        try await check(
            """
            local function lines(stream)
                return coroutine.wrap(function()
                    local rest = ""
                    for piece in function() return stream:read() end do
                        rest = rest .. piece
                        rest = rest:gsub("([^\\n]*)\\n", function(line) found = line; return nil end, 0)
                        while true do
                            local line, after = rest:match("^([^\\n]*)\\n(.*)$")
                            if not line then break end
                            coroutine.yield(line)
                            rest = after
                        end
                    end
                end)
            end
            local p = start("for i in 1 2 3; do echo line $i; sleep 0.02; done")
            local got = {}
            for line in lines(p:stdout_stream()) do got[#got + 1] = line end
            expect('3: "line 1", "line 2", "line 3"', table.unpack(got))

            -- Two deep, with values in and out.
            local inner = function(x) time.sleep("5ms") local y = coroutine.yield(x + 1) time.sleep(0) return y * 2 end
            local outer = coroutine.create(function(x)
                local co = coroutine.create(inner)
                local _, a = coroutine.resume(co, x)
                local b = coroutine.yield(a)
                time.sleep("5ms")
                return select(2, coroutine.resume(co, b))
            end)
            expect("2: true, 2", coroutine.resume(outer, 1))
            expect("2: true, 42", coroutine.resume(outer, 21))
            expect('1: "dead"', coroutine.status(outer))
            expect('2: false, "cannot resume dead coroutine"', coroutine.resume(outer))
            """
        )
    }

    @Test("the script's own coroutines are as Lua has them")
    func likeLua() async throws {
        try await check(
            """
            local co = coroutine.create(function(...) expect("2: 1, 2", ...) error("boom", 0) end)
            expect('2: false, "boom"', coroutine.resume(co, 1, 2))
            expect('2: false, "cannot resume dead coroutine"', coroutine.resume(co))
            local wrapped = coroutine.wrap(function() error({ 1 }) end)
            local ok, e = pcall(wrapped)
            expect("2: false, 1", ok, e[1])
            raises("cannot resume dead coroutine", wrapped)
            local closed = false
            local failing = coroutine.wrap(function()
                local _ <close> = setmetatable({}, { __close = function() closed = true end })
                error("x")
            end)
            raises("x", failing)
            assert(closed)
            local myself
            myself = coroutine.create(function() return coroutine.resume(myself) end)
            expect('3: true, false, "cannot resume non-suspended coroutine"', coroutine.resume(myself))
            local open = coroutine.create(function()
                local _ <close> = setmetatable({}, { __close = function() closed = "again" end })
                coroutine.yield()
            end)
            coroutine.resume(open)
            expect("1: true", coroutine.close(open))
            expect('1: "again"', closed)
            assert(coroutine.isyieldable() and not select(2, coroutine.running()))
            raises("bad argument #1", coroutine.resume, 1)
            """
        )
    }

    @Test("a coroutine that waits belongs to the scheduler until it is answered")
    func waitingIsTaken() async throws {
        try await check(
            """
            local gate, inner, done = channel.new(), nil, channel.new()
            coroutine.spawn(function()
                inner = coroutine.create(function() return (gate:receive()) end)
                done:send(select(2, coroutine.resume(inner)))
            end)
            time.sleep(0)
            expect('2: false, "cannot resume a coroutine that waits in a blocking call"', coroutine.resume(inner, "x"))
            raises("cannot close a coroutine", coroutine.close, inner)
            gate:send("opened")
            expect('2: "opened", true', done:receive())
            """
        )
    }
}
