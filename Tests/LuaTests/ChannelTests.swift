import ExecLua
import Testing

@Suite("Channels", .timeLimit(.minutes(1)))
struct ChannelTests {
    private func check(_ text: String) async throws {
        let outcome = try await run(.embedded, prelude + text)
        #expect(outcome.end == .returned(0))
        #expect(outcome.reports == [])
    }

    @Test("send gives true, receive gives the value and true; nil, false at the end")
    func shapes() async throws {
        try await check(
            """
            local c = channel.new(2)
            expect("1: true", c:send("a"))
            expect("1: true", c:send(nil))
            expect("1: true", c:close())
            expect("1: true", c:close())
            raises("the channel is closed", c.send, c, 1)
            expect('2: "a", true', c:receive())
            expect("2: nil, true", c:receive())
            expect("2: nil, false", c:receive())
            expect("2: nil, false", c:receive())
            raises("bad argument #2", channel.new().send, channel.new())
            raises("a capacity is 0 or more", channel.new, -1)
            """
        )
    }

    @Test("without capacity a send waits until it is received")
    func rendezvous() async throws {
        try await check(
            """
            local c = channel.new()
            local sent = 0
            coroutine.spawn(function() for i = 1, 3 do c:send(i) sent = i end end)
            for _ = 1, 5 do coroutine.yield() end
            expect("1: 0", sent)
            expect("2: 1, true", c:receive())
            for _ = 1, 5 do coroutine.yield() end
            expect("1: 1", sent)
            expect("2: 2, true", c:receive())
            expect("2: 3, true", c:receive())
            """
        )
    }

    @Test("with capacity so many sends don't wait; values stay in order")
    func capacity() async throws {
        try await check(
            """
            local c = channel.new(3)
            local sent = 0
            coroutine.spawn(function() for i = 1, 10 do c:send(i) sent = i end c:close() end)
            for _ = 1, 20 do coroutine.yield() end
            expect("1: 3", sent)
            local got = {}
            for value in function() return (c:receive()) end do got[#got + 1] = value end
            expect('1: "1 2 3 4 5 6 7 8 9 10"', table.concat(got, " "))
            """
        )
    }

    @Test("receivers are served in the order they came")
    func order() async throws {
        try await check(
            """
            local c, done, got = channel.new(), channel.new(), {}
            for i = 1, 4 do
                coroutine.spawn(function()
                    local value = c:receive()
                    got[#got + 1] = i .. value
                    done:send(true)
                end)
            end
            coroutine.yield()
            for _, value in ipairs({ "a", "b", "c", "d" }) do c:send(value) end
            for _ = 1, 4 do done:receive() end
            expect('1: "1a 2b 3c 4d"', table.concat(got, " "))
            """
        )
    }

    @Test("closing tells all who wait")
    func closing() async throws {
        try await check(
            """
            local full, empty, results = channel.new(), channel.new(), channel.new(4)
            for _ = 1, 2 do
                coroutine.spawn(function() results:send(show(pcall(full.send, full, 1))) end)
                coroutine.spawn(function() results:send(show(empty:receive())) end)
            end
            coroutine.yield()
            full:close()
            empty:close()
            local got = {}
            for _ = 1, 4 do got[#got + 1] = results:receive() end
            table.sort(got)
            for i = 1, 2 do
                assert(got[i]:find("2: false, ") and got[i]:find("the channel is closed"), got[i])
                expect('1: "2: nil, false"', got[i + 2])
            end
            """
        )
    }

    @Test("many coroutines and values, none lost")
    func many() async throws {
        try await check(
            """
            local c, sums = channel.new(7), channel.new()
            for worker = 1, 50 do
                coroutine.spawn(function()
                    local sum = 0
                    for value in function() return (c:receive()) end do sum = sum + value end
                    sums:send(sum)
                end)
            end
            for i = 1, 20000 do c:send(i) end
            c:close()
            local total = 0
            for _ = 1, 50 do total = total + sums:receive() end
            expect("1: 200010000", total)
            """
        )
    }
}
