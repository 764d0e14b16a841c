import Glibc
import Kernel
import Testing

@Suite("execstream lua, as a program", .serialized, .timeLimit(.minutes(2)))
struct LuaCommandTests {
    /// Lends a house with a script in it; with `form` `server` a server runs, and is used.
    private func withScript(
        _ text: String,
        server: Bool = false,
        _ body: (House, _ words: [String]) async throws -> Void,
    ) async throws {
        let run = { (house: House) in
            let path = "\(house.directory)/script.lua"
            try Files.writeAtomically(path, Array(text.utf8))
            let address = server ? ["--address", try house.address] : []
            try await body(house, ["lua"] + address + [path])
        }
        if server { try await House.run([], run) } else { try await House.withoutServer(run) }
    }

    /// A script that starts a process that writes its number to `pid`, says so, and waits for it.
    private static let waiting = """
        local p = require("exec").get("process:native"):exec("echo $$ > pid; echo up; exec sleep 1000", {
            work_dir = arg[0]:match("^(.*)/"),
        })
        p:start()
        print(p:stdout_stream():read(2))

        """

    private func pid(_ house: House) throws -> Int32 {
        let bytes = try Files.readSmall("\(house.directory)/pid", max: 64)
        return Int32(String(decoding: bytes, as: UTF8.self).filter { $0 != "\n" }) ?? 0
    }

    private func isGone(_ pid: Int32) -> Bool { kill(pid, 0) == -1 && errno == ESRCH }

    @Test("ends with what the script returns, and passes its arguments", arguments: [false, true])
    func returned(_ server: Bool) async throws {
        let text = """
            local p = require("exec").get("process:native"):exec("cat; exit 7")
            p:start()
            p:write_stdin(table.concat({ ... }, " "))
            p:close_stdin()
            print(p:stdout_stream():read())
            return (p:wait())
            """
        try await withScript(text, server: server) { house, words in
            let said = try await house.start(words + ["a", "--address", "-x"]).end()
            #expect(said.code == 7)
            #expect(said.stdout == "a --address -x\n")
            #expect(said.stderr == "")
        }
    }

    @Test("ends with 1 and a traceback where the script fails")
    func failed() async throws {
        try await withScript("local function f() error('boom') end\nf()") { house, words in
            let said = try await house.start(words).end()
            #expect(said.code == 1)
            #expect(said.stderr.hasPrefix("execstream: \(house.directory)/script.lua:1: boom\n"))
            #expect(said.stderr.contains("stack traceback:"))
        }
    }

    @Test("ends with 125 and one line where there is no such script, or a bad resource file")
    func missing() async throws {
        try await House.withoutServer { house in
            let said = try await house.run("lua", "/none/such.lua")
            #expect(said.code == 125)
            #expect(
                said.stderr == "execstream: cannot open /none/such.lua: No such file or directory\n"
            )
            let path = "\(house.directory)/resources.json"
            try Files.writeAtomically(path, Array("{\n1}".utf8))
            let other = try await house.run("lua", "--resources", path, "x.lua")
            #expect(other.code == 125)
            #expect(
                other.stderr
                    == "execstream: the resource file '\(path)' is wrong: line 2: a name in quotes was expected\n"
            )
        }
    }

    @Test("ends with 2 for wrong usage")
    func usage() async throws {
        try await House.withoutServer { house in
            let ended = try await house.run("lua")
            #expect(ended.code == 2)
            let unknown = try await house.run("lua", "--nope", "x.lua")
            #expect(unknown.code == 2)
        }
    }

    @Test(
        "a signal ends it, with all that it has started",
        arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)] as [(Int32, Int32)],
        [false, true],
    )
    func interrupted(_ signal: (number: Int32, code: Int32), _ server: Bool) async throws {
        try await withScript(Self.waiting + "p:wait()", server: server) { house, words in
            let child = try house.start(words)
            try await child.prints("up\n")
            let pid = try self.pid(house)
            #expect(!isGone(pid))
            child.signal(signal.number)
            let said = try await child.end()
            #expect(said.code == signal.code)
            #expect(said.stderr == "")
            #expect(isGone(pid))
            if server {
                let ended = try await house.run("ps", "-a", "--json")
                #expect(ended.stdout == "")
            }
        }
    }

    @Test("a signal ends it also where the script never waits")
    func busy() async throws {
        try await withScript(Self.waiting + "io.stdout:flush() while true do end") { house, words in
            let child = try house.start(words)
            try await child.prints("up\n")
            let pid = try self.pid(house)
            child.signal(SIGINT)
            let ended = try await child.end()
            #expect(ended.code == 130)
            #expect(isGone(pid))
        }
    }

    @Test("a second signal kills what ignores the first")
    func hurried() async throws {
        let text = """
            local p = require("exec").get("process:native"):exec(
                "trap 'echo stopping' TERM; echo $$ > pid; echo up; while :; do sleep 0.1; done",
                { work_dir = arg[0]:match("^(.*)/") }
            )
            p:start()
            print(p:stdout_stream():read(2))
            p:wait()
            """
        try await withScript(text) { house, words in
            let child = try house.start(words)
            try await child.prints("up\n")
            let pid = try self.pid(house)
            child.signal(SIGINT)
            child.signal(SIGINT)
            child.signal(SIGTERM)
            let ended = try await child.end()
            #expect(ended.code == 130)
            #expect(isGone(pid))
        }
    }

    @Test("what it prints is there before it waits")
    func flushed() async throws {
        let text = "print('before') io.write('half') time.sleep('1h')"
        try await withScript(text) { house, words in
            let child = try house.start(words)
            try await child.prints("before\nhalf")
            child.signal(SIGTERM)
            let ended = try await child.end()
            #expect(ended.code == 143)
        }
    }

    @Test("a coroutine that fails is told at once; help explains it all")
    func told() async throws {
        let text = """
            coroutine.spawn(function() error("within") end)
            time.sleep("10ms")
            print("after")
            """
        try await withScript(text) { house, words in
            let said = try await house.start(words).end()
            #expect(said.code == 1)
            #expect(said.stdout == "after\n")
            #expect(said.stderr.hasPrefix("execstream: the coroutine spawned at "))
            #expect(said.stderr.contains("script.lua:1: within\nstack traceback:"))
            let help = try await house.run("help", "lua")
            #expect(help.stdout.contains("--resources FILE"))
        }
    }

    /// Starts the program with stdout or stderr (1, 2) on a pipe that has a reader, who reads nothing.
    private func startUnread(_ house: House, _ words: [String], _ number: Int) throws -> Child {
        let fifo = "\(house.directory)/unread-\(number)"
        guard mkfifo(fifo, 0o600) == 0 else { throw Errno(errno) }
        let shell = "exec 9<>\(fifo); exec \"$@\" \(number)>&9"
        return try house.start(program: "/bin/sh", ["-c", shell, "sh", try programPath()] + words)
    }

    @Test("a signal ends it also where nobody reads what it prints")
    func unread() async throws {
        let text = "io.stderr:write('up') for _ = 1, 1e5 do print(('x'):rep(100)) end"
        try await withScript(text) { house, words in
            let child = try startUnread(house, words, 1)
            try await child.wait { $0.stderr.contains("up") }
            child.signal(SIGINT)
            let said = try await child.end()
            #expect(said.code == 130)
            #expect(said.stderr == "up")
        }
    }

    @Test("a signal ends it also where nobody reads why it has failed")
    func unreadFailure() async throws {
        try await withScript("print('up') error(('x'):rep(1e6))") { house, words in
            let child = try startUnread(house, words, 2)
            try await child.prints("up\n")
            let said = try await child.signalUntilEnd(SIGTERM)
            #expect(said.code == 143)
        }
    }

    @Test("what it has printed is there after a signal that it does not heed")
    func held() async throws {
        let text = "print('held') io.stderr:write('up') while true do end"
        try await withScript(text) { house, words in
            let child = try house.start(words)
            try await child.wait { $0.stderr.contains("up") }
            child.signal(SIGHUP)
            let said = try await child.end()
            #expect(said.code == 129)
            #expect(said.stdout == "held\n")
        }
    }

    @Test("os.execute and io.popen run commands whose signals are as they should be")
    func shellSignals() async throws {
        let text = """
            local command = "exec grep -E '^Sig(Blk|Ign)' /proc/self/status"
            local function check(text)
                assert(text:match("SigBlk:%s*0+\\n"), text)
                local ignored = tonumber(text:match("SigIgn:%s*(%x+)"), 16)
                assert(ignored & 1 << 12 == 0, text)
            end
            check(io.popen(command):read("a"))
            local path = arg[0] .. ".out"
            os.execute(command .. " > '" .. path .. "'")
            check(io.open(path):read("a"))
            print(os.execute("kill -TERM $$; echo alive"))
            print(os.execute("kill -INT $$; echo alive"))
            print(os.execute("yes | tail -n +2 | grep -m 1 y > /dev/null"))
            """
        try await withScript(text) { house, words in
            let said = try await house.start(words).end()
            #expect(said.code == 0)
            #expect(said.stdout == "nil\tsignal\t15\nnil\tsignal\t2\ntrue\texit\t0\n")
            #expect(said.stderr == "")
        }
    }

    @Test("os.execute and io.popen give what Lua's manual says")
    func shellResults() async throws {
        let text = """
            local function same(a, b, c, ...)
                local got = table.pack(...)
                assert(got[1] == a and got[2] == b and got[3] == c, tostring(got[2]))
            end
            assert(os.execute() == true)
            same(true, "exit", 0, os.execute("true"))
            same(nil, "exit", 3, os.execute("exit 3"))
            assert(not pcall(os.execute, {}))
            local file = io.popen("echo one; echo two; exit 4")
            assert(io.type(file) == "file")
            local lines = {}
            for line in file:lines() do lines[#lines + 1] = line end
            assert(table.concat(lines, ",") == "one,two")
            same(nil, "exit", 4, file:close())
            assert(io.type(file) == "closed file" and not pcall(file.read, file))
            local path = arg[0] .. ".out"
            local sink = io.popen("cat > '" .. path .. "'; kill -KILL $$", "w")
            assert(sink:write("written"))
            same(nil, "signal", 9, sink:close())
            assert(io.open(path):read("a") == "written")
            local _, message = pcall(io.popen, "true", "rw")
            assert(message:find("(invalid mode)", 1, true), message)
            -- One has not the pipe of another, whose end would not come then.
            local writer = io.popen("cat > /dev/null", "w")
            local other = io.popen("echo $$; exec sleep 1000 > /dev/null")
            local pid = other:read("n")
            same(true, "exit", 0, writer:close())
            os.execute("kill " .. pid)
            same(nil, "signal", 15, other:close())
            io.popen("exit 1")
            collectgarbage()
            """
        try await withScript(text) { house, words in
            let said = try await house.start(words).end()
            #expect(said.stderr == "")
            #expect(said.code == 0)
        }
    }
}
