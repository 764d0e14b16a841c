import ExecLua
import Testing

/// Each function's results and errors, exactly as Docs/lua.md has them.
@Suite("The module exec: what its functions return and raise", .timeLimit(.minutes(1)))
struct ShapeTests {
    /// Runs a script that checks itself.
    private func check(_ form: Form, _ text: String) async throws {
        let outcome = try await run(form, prelude + text)
        #expect(outcome.end == .returned(0))
        #expect(outcome.reports == [])
        #expect(outcome.left.isEmpty, "a process that was let go of is forgotten")
    }

    @Test("exec.get gives an executor, or raises", arguments: Form.allCases)
    func get(_ form: Form) async throws {
        try await check(
            form,
            """
            expect("1: true", select("#", exec.get("process:native")) == 1)
            raises("there is no resource 'process:none'", exec.get, "process:none")
            raises("bad argument #1", exec.get)
            raises("bad argument #1", exec.get, {})
            """
        )
    }

    @Test("executor:exec makes a process without starting it, or raises", arguments: Form.allCases)
    func make(_ form: Form) async throws {
        try await check(
            form,
            """
            local never = os.tmpname()
            assert(os.remove(never))
            expect("1: true", select("#", native:exec("touch " .. never)) == 1)
            expect("1: 0", (start("true"):wait()))
            expect("1: false", io.open(never) ~= nil)
            raises("the command is empty", native.exec, native, "  ")
            raises("bad argument #2", native.exec, native)
            raises("bad argument #2", native.exec, native, {})
            raises("NUL", native.exec, native, "a\\0b")
            raises("UTF-8", native.exec, native, "\\xFF")
            raises("bad argument #3", native.exec, native, "x", "y")
            raises("option 'nope' is not known", native.exec, native, "x", { nope = 1 })
            raises("option '1' is not known", native.exec, native, "x", { "y" })
            raises("option 'work_dir' must be a string", native.exec, native, "x", { work_dir = 1 })
            raises("option 'env' must be a table", native.exec, native, "x", { env = "A=1" })
            raises("option 'env': 'A' must be a string", native.exec, native, "x", { env = { A = true } })
            raises("a name that is not a string", native.exec, native, "x", { env = { "A=1" } })
            raises("'A=B' can't be the name", native.exec, native, "x", { env = { ["A=B"] = "1" } })
            raises("option 'stdin' must be a boolean", native.exec, native, "x", { stdin = "no" })
            raises("option 'tty' must be true or a table", native.exec, native, "x", { tty = 1 })
            raises("'rows' must be 1 to 65535", native.exec, native, "x", { tty = { rows = 0 } })
            raises("option 'tty': 'row' is not known", native.exec, native, "x", { tty = { row = 1 } })
            raises("'soon' is not a time", native.exec, native, "x", { timeout = "soon" })
            raises("must be more than nothing", native.exec, native, "x", { timeout = 0 })
            raises("option 'timeout' must be a time", native.exec, native, "x", { timeout = {} })
            """
        )
    }

    @Test("executor:release gives true; then every method fails", arguments: Form.allCases)
    func release(_ form: Form) async throws {
        try await check(
            form,
            """
            local e = exec.get("process:native")
            local p = e:exec("true")
            expect("1: true", e:release())
            raises("the executor is released", e.exec, e, "true")
            raises("the executor is released", e.release, e)
            p:start()
            expect("1: 0", (p:wait()))
            """
        )
    }

    @Test("process:start raises if it fails, and the second time", arguments: Form.allCases)
    func start(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = native:exec("sleep 60")
            expect("1: true", p:start())
            raises("the process was started already", p.start, p)
            p:close(true)
            raises("the process is closed", p.start, p)
            local q = native:exec("true", { work_dir = "/no/such/directory" })
            raises("/no/such/directory", q.start, q)
            raises("the process is closed", q.start, q)
            """
        )
    }

    @Test("streams and stdin before the start are errors", arguments: Form.allCases)
    func notStarted(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = native:exec("cat")
            raises("the process is not started", p.stdout_stream, p)
            raises("the process is not started", p.stderr_stream, p)
            local failed = '2: nil, "the process is not started"'
            expect(failed, p:write_stdin("x"))
            expect(failed, p:close_stdin())
            expect(failed, p:signal(15))
            expect(failed, p:wait())
            expect(failed, p:info())
            expect(failed, p:resize(10, 10))
            expect("1: true", p:start())
            """
        )
    }

    @Test("process:signal gives true, nil, or nil and a message", arguments: Form.allCases)
    func signal(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("trap 'exit 9' USR1; echo up; while :; do sleep 0.05; done")
            local out = p:stdout_stream()
            expect('1: "up\\\\\\n"', out:read())
            expect("2: true, nil", p:signal(10))
            expect('2: nil, "0 is not a signal; signals are 1 to 64"', p:signal(0))
            expect('2: nil, "65 is not a signal; signals are 1 to 64"', p:signal(65))
            raises("bad argument #1 to 'signal'", function() p:signal() end)
            expect("2: nil, nil", out:read())
            local failed, message = p:signal(15)
            assert(failed == nil and (message:find("finished") or message:find("exited")), message)
            expect("1: 9", (p:wait()))
            expect('2: nil, "the process is closed"', p:signal(15))
            """
        )
    }

    @Test("process:wait gives the code, never raises, and closes", arguments: Form.allCases)
    func wait(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("exit 7")
            local code, message, exit = p:wait()
            expect("2: 7, nil", code, message)
            expect('3: 7, "natural", nil', exit.code, exit.reason, exit.cause)
            expect('2: nil, "the process is closed"', p:wait())
            raises("the process is closed", p.stdout_stream, p)
            raises("the process is closed", p.stderr_stream, p)

            local q = start("kill -KILL $$")
            code, message, exit = q:wait()
            expect('4: 137, nil, "signal", 9', code, message, exit.reason, exit.signal)

            local late = start("sleep 60", { timeout = "50ms" })
            code, message, exit = late:wait()
            expect('4: 143, nil, "signal", "timeout"', code, message, exit.reason, exit.cause)
            """
        )
    }

    @Test("process:close gives true, any number of times", arguments: Form.allCases)
    func close(_ form: Form) async throws {
        try await check(
            form,
            """
            local new = native:exec("true")
            expect("1: true", new:close())
            expect("1: true", new:close())
            raises("the process is closed", new.start, new)

            local p = start("trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.05; done")
            local out = p:stdout_stream()
            expect('1: "up\\\\\\n"', out:read())
            expect("1: true", p:close())
            expect("1: true", p:close())
            expect("1: true", p:close(true))
            expect('2: nil, "the process is closed"', p:wait())
            expect('2: nil, "the process is closed"', p:info())
            expect('2: nil, "the process is closed"', p:write_stdin("x"))
            raises("the process is closed", p.stdout_stream, p)
            raises("the process is closed", p.stderr_stream, p)

            local ended = start("true")
            ended:wait()
            expect("1: true", ended:close(true))
            """
        )
    }

    @Test("close sends SIGTERM, and SIGKILL if forced", arguments: Form.allCases)
    func closingSignals(_ form: Form) async throws {
        try await check(
            form,
            """
            for force, expected in pairs({ [false] = "15", [true] = "9" }) do
                local p = start("echo up; exec sleep 60")
                p:stdout_stream():read()
                local exits = channel.new(1)
                coroutine.spawn(function() exits:send(select(3, p:wait()).signal) end)
                time.sleep(0)
                p:close(force)
                expect("1: " .. expected, (exits:receive()))
            end
            """
        )
    }

    @Test("a stream is the same each time; it ends with nil, nil", arguments: Form.allCases)
    func streams(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("printf out; printf err >&2")
            local out, err = p:stdout_stream(), p:stderr_stream()
            assert(rawequal(out, p:stdout_stream()) and rawequal(err, p:stderr_stream()))
            assert(out ~= err)
            expect('1: "out"', out:read())
            expect('1: "err"', err:read())
            expect("2: nil, nil", out:read())
            expect("2: nil, nil", out:read())
            expect("2: nil, nil", err:read())
            expect("1: true", err:close())
            expect("1: true", err:close())
            expect('2: nil, "the stream is closed"', err:read())
            expect("2: nil, nil", out:read())
            p:wait()
            """
        )
    }

    @Test("a stream gives at most as many bytes as are asked for", arguments: Form.allCases)
    func readMax(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("printf abcdefg")
            local out = p:stdout_stream()
            p:wait()
            expect('1: "abc"', out:read(3))
            expect('1: "d"', out:read(1))
            expect('1: "efg"', out:read(100))
            expect("2: nil, nil", out:read(1))
            raises("a number of bytes is 1 or more", out.read, out, 0)
            """
        )
    }

    @Test("a stream that is closed under its reader tells it", arguments: Form.allCases)
    func closedUnderReader(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("exec sleep 60")
            local out = p:stdout_stream()
            local results = channel.new(1)
            coroutine.spawn(function() results:send(show(out:read())) end)
            time.sleep(0)
            expect('2: nil, "another coroutine reads this stream"', out:read())
            out:close()
            expect("1: " .. string.format("%q", '2: nil, "the stream is closed"'), (results:receive()))
            """
        )
    }

    @Test("stdin: true, nil, or nil and a message", arguments: Form.allCases)
    func stdin(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("cat; exit 4")
            expect("2: true, nil", p:write_stdin("one "))
            expect("2: true, nil", p:write_stdin("two"))
            raises("bad argument #1 to 'write_stdin'", function() p:write_stdin() end)
            expect("2: true, nil", p:close_stdin())
            expect('1: "one two"', all(p:stdout_stream()))
            local failed, message = p:write_stdin("x")
            expect('2: nil, "the process has finished"', failed, message)
            expect("1: 4", (p:wait()))

            local q = start("cat", { stdin = false })
            expect('2: nil, "the process was started without stdin"', q:write_stdin("x"))
            expect('2: nil, "the process was started without stdin"', q:close_stdin())
            expect("1: 0", (q:wait()))
            """
        )
    }

    @Test("process:info gives a table", arguments: Form.allCases)
    func info(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("echo $$; exec cat", { env = { A = "1" } })
            local pid = tonumber(p:stdout_stream():read())
            expect("2: true, nil", p:info() ~= nil, select(2, p:info()))
            local info = p:info()
            expect('4: "lua", "running", false, ' .. pid, info.container_id, info.state, info.tty, info.pid)
            expect('3: "/bin/sh", "-c", "echo $$; exec cat"', table.unpack(info.argv))
            assert(info.started <= time.now() and info.started > time.now() - 60)
            p:close_stdin()
            expect("2: nil, nil", p:stdout_stream():read())
            expect('3: "exited", 0, "natural"', p:info().state, p:info().exit.code, p:info().exit.reason)
            """
        )
    }

    @Test("process:resize without a terminal gives nil and a message", arguments: Form.allCases)
    func resize(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start("cat")
            expect('2: nil, "the process has no terminal"', p:resize(10, 20))
            """
        )
    }

    @Test("option tty: a terminal, which can be resized", arguments: Form.allCases)
    func terminal(_ form: Form) async throws {
        try await check(
            form,
            """
            local function until_seen(stream, text)
                local seen = ""
                while not seen:find(text, 1, true) do
                    seen = seen .. assert(stream:read(), "the end came after " .. seen)
                end
            end
            local p = start("trap 'stty size; exit 3' WINCH; test -t 2 && stty size; echo $TERM; while :; do sleep 0.05; done", {
                tty = { rows = 30, cols = 100, term = "vt100" },
            })
            local out = p:stdout_stream()
            until_seen(out, "30 100\\r\\nvt100\\r\\n")
            expect("3: true, 30, 100", p:info().tty, p:info().rows, p:info().cols)
            expect('2: nil, "a terminal has 1 to 65535 rows and columns"', p:resize(0, 10))
            expect('2: nil, "a terminal has 1 to 65535 rows and columns"', p:resize(10, 65536))
            expect("2: true, nil", p:resize(40, 120))
            until_seen(out, "40 120")
            expect("2: nil, nil", p:stderr_stream():read())
            expect("1: 3", (p:wait()))
            expect('2: nil, "the process is closed"', p:resize(1, 1))

            local q = start("stty size; read line; echo got $line", { tty = true })
            out = q:stdout_stream()
            until_seen(out, "24 80")
            local again = exec.attach(q:info().container_id, q:info().exec_id)
            expect("2: true, nil", again:resize(24, 81))
            again:close()
            expect("2: true, nil", q:write_stdin("typed\\n"))
            until_seen(out, "got typed")
            expect("1: 0", (q:wait()))
            """
        )
    }

    @Test("env and work_dir are the process's", arguments: Form.allCases)
    func environment(_ form: Form) async throws {
        try await check(
            form,
            """
            local p = start('echo "$A $N $(pwd)"', { env = { A = "a b", N = 7 }, work_dir = "/usr" })
            expect('1: "a b 7 /usr\\\\\\n"', p:stdout_stream():read())
            """
        )
    }

    @Test("to-be-closed variables close what they hold", arguments: Form.allCases)
    func closing(_ form: Form) async throws {
        try await check(
            form,
            """
            local held
            do
                local e <close> = exec.get("process:native")
                local p <close> = e:exec("exec sleep 60")
                p:start()
                held = p
                local s <close> = p:stdout_stream()
                local c <close> = channel.new()
            end
            expect('2: nil, "the process is closed"', held:wait())
            """
        )
    }
}
