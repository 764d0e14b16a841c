import Glibc
import Kernel
import Testing

@Suite("An exec's terminal on the user's", .serialized, .timeLimit(.minutes(2)))
struct TerminalTests {
    /// Lends a terminal beside a server; afterwards its modes are what they were.
    private func withTerminal(_ body: (House, Tmux) async throws -> Void) async throws {
        try await House.run { house in
            try await Tmux.run(house) { tmux in
                let before = try await tmux.modes()
                try await body(house, tmux)
                let after = try await tmux.modes()
                #expect(after == before)
            }
        }
    }

    /// What starts a shell whose prompt is "inner>", without that showing in what is typed.
    private static let shell = "execstream run -it -c t -e sh --env PS1=inner\\> sh"

    @Test("run -it is a shell with this terminal's size, name and keys, and ends with its code")
    func shell() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type(Self.shell)
            try await tmux.shows("inner>")
            try await tmux.type("echo $(stty size) on $TERM")
            try await tmux.shows("30 90 on tmux-256color")
            try await tmux.type("cat")
            try await tmux.press("C-c")
            try await tmux.type("echo interrupted with $?")
            try await tmux.shows("interrupted with 130")
            try await tmux.type("exit 7")
            try await tmux.shows("outer>")
            try await tmux.type("echo ended with $?")
            try await tmux.shows("ended with 7")
        }
    }

    @Test("The size follows")
    func resize() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type("execstream run -it \(try Self.watcher(house)); echo code $?")
            try await tmux.shows("\nup\n")
            for (columns, rows) in [(100, 40), (60, 20), (90, 30)] {
                try await tmux.resize(columns: columns, rows: rows)
                try await tmux.shows("\(rows) \(columns)")
            }
            try await tmux.press("C-c")
            try await tmux.shows("got it")
            try await tmux.shows("code 9")
        }
    }

    /// A command that says its terminal's size whenever that changes, until it is interrupted.
    private static func watcher(_ house: House) throws -> String {
        let script = """
            trap 'stty size' WINCH; trap 'echo got it; exit 9' INT; echo up
            while :; do sleep 0.1 & wait; done
            """
        try Files.writeAtomically("\(house.directory)/script", Array(script.utf8))
        return "sh \(house.directory)/script"
    }

    @Test("An editor opens, is resized, writes and quits")
    func editor() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type("execstream run -it -w \(house.directory) vim.tiny -u NONE note")
            try await tmux.shows("\"note\" [New")
            try await tmux.type(":set lines?")
            try await tmux.shows("lines=30")
            try await tmux.resize(columns: 70, rows: 20)
            try await tmux.shows("lines=20") { try await tmux.type(":set lines?") }
            try await tmux.type("ihello")
            try await tmux.press("Escape")
            try await tmux.type(":wq")
            try await tmux.shows("outer>")
            let note = try Files.readSmall("\(house.directory)/note", max: 100)
            #expect(String(decoding: note, as: UTF8.self) == "hello\n\n")
        }
    }

    @Test("A pager shows a page, and another one")
    func pager() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type("execstream run -it -c t -e less sh -c 'seq 1000 | less'")
            let first = try await tmux.shows("\n29\n")
            #expect(first.hasPrefix("1\n2\n"))
            try await tmux.press("Space")
            let second = try await tmux.shows("\n58\n")
            #expect(second.hasPrefix("30\n31\n"))
            try await tmux.press("q")
            try await tmux.shows("outer>")
        }
    }

    @Test("ctrl-p ctrl-q leaves with 0, and attach -i comes back; ctrl-p alone is passed on")
    func detach() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type(Self.shell)
            try await tmux.shows("inner>")
            try await tmux.type("stty -icanon; dd bs=1 count=2 2>/dev/null | od -An -tx1")
            try await tmux.press("C-p", "x")
            try await tmux.shows("10 78")
            try await tmux.type("stty icanon; kept=yes")
            try await tmux.detach()
            try await tmux.type("echo left with $?")
            try await tmux.shows("left with 0")
            try await tmux.type("execstream attach -i t/sh")
            try await tmux.shows("kept is yes") { try await tmux.type("echo kept is $kept") }
            try await tmux.type("exit 5")
            try await tmux.shows("outer>") { try await tmux.type("") }
            let listed = try await house.run("wait", "t/sh")
            #expect(listed.code == 5)
        }
    }

    @Test("What the terminal answers to the past is not typed into the exec")
    func replay() async throws {
        try await withTerminal { house, tmux in
            // Asks what the terminal is (and nobody is there to answer), then shows what is typed.
            let script = "stty raw -echo; printf '\\033[c\\033[6n'; printf asked; exec cat -v"
            let started = try await house.run(
                "run",
                "-dt",
                "-c",
                "t",
                "-e",
                "c",
                "sh",
                "-c",
                script
            )
            #expect(started.stdout == "t/c\n")
            try await tmux.type("execstream attach -i t/c")
            try await tmux.shows("asked")
            try await tmux.shows("typed") { try await tmux.press("typed") }
            let logged = try await house.run("logs", "t/c").stdout
            #expect(logged.dropFirst("\u{1B}[c\u{1B}[6nasked".count).hasPrefix("typed"))
            try await tmux.detach()
            _ = try await house.run("signal", "t/c", "KILL")
        }
    }

    @Test(
        "A signal to the program leaves the exec, restores the terminal and is seen outside",
        arguments: [SIGTERM, SIGHUP, SIGINT, SIGQUIT]
    )
    func signal(_ number: Int32) async throws {
        try await withTerminal { house, tmux in
            let file = "\(house.directory)/pid"
            try await tmux.type("sh -c 'echo $$ > \(file); exec \(Self.shell)'")
            try await tmux.shows("inner>")
            let text = String(decoding: try Files.readSmall(file, max: 20), as: UTF8.self)
            let pid = try #require(Int32(text.dropLast()))
            #expect(kill(pid, number) == 0)
            try await tmux.shows("come back with: execstream attach -i t/sh")
            try await tmux.type("echo ended with $?")
            try await tmux.shows("ended with \(128 + number)")
            let listed = try await house.run("ps", "--json").stdout
            #expect(listed.contains("\"state\":\"running\""))
        }
    }

    @Test("A signal ends the program also where its terminal is not read")
    func unread() async throws {
        try await House.run { house in
            let words = ["-c", Self.reader, try programPath(), "run", "-it", "yes"]
            let said = try await house.start(program: "/usr/bin/python3", words).end()
            #expect(said.stdout == "-\(SIGTERM) True\n", "\(said.stderr)")
        }
    }

    /// Starts a program on a terminal, and lets it wait to write; then signals it. Says what it ended with,
    /// and whether the terminal is as it was. On one processor, where one task that waits is all there is.
    private static let reader = """
        import fcntl, os, pty, signal, struct, subprocess, sys, termios, time
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        master, inner = pty.openpty()
        before = termios.tcgetattr(inner)
        program = subprocess.Popen(sys.argv[1:], stdin=inner, stdout=inner, stderr=inner)
        waiting, same = 0, 0
        while not waiting or same < 10:
            time.sleep(0.02)
            now = struct.unpack("i", fcntl.ioctl(master, termios.FIONREAD, b"1234"))[0]
            waiting, same = now, same + 1 if now == waiting else 0
        program.send_signal(signal.SIGTERM)
        try:
            code = program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()
            code = "late"
        print(code, termios.tcgetattr(inner) == before)
        """

    @Test("A server that is gone does not keep the user from leaving")
    func server() async throws {
        try await House.run { house in
            try await Tmux.run(house) { tmux in
                let before = try await tmux.modes()
                try await tmux.type(Self.shell)
                try await tmux.shows("inner>")
                let exec = try await house.run("ps", "--json").stdout
                let pid = try #require(exec.firstMatch(of: /"pid":([0-9]+)/)?.1)
                try house.server.signal(SIGKILL)
                try await tmux.press("a", "b")
                try await tmux.detach()
                let after = try await tmux.modes()
                #expect(after == before)
                if let number = Int32(pid) { kill(number, SIGKILL) }
            }
        }
    }

    @Test("A connection that breaks and comes back costs no key")
    func breaks() async throws {
        try await withTerminal { house, tmux in
            let proxy = try await Proxy(house)
            // The proxy's address is none of the server's, so its token has to be named.
            let token = "--token-file \(house.directory)/execstream/token"
            let arguments =
                "-it --address \(proxy.address) \(token) -c t -e sh --env PS1=inner\\> sh"
            try await tmux.type("execstream run \(arguments); echo code $?")
            try await tmux.shows("inner>")
            for round in 1...3 {
                try await tmux.type("clear; echo before''-\(round)")
                try await tmux.shows("before-\(round)")
                try await proxy.cut()
                // What is typed before the break is noticed is lost, and said to be.
                try await tmux.shows("the connection broke while stdin was on its way")
                try await tmux.type("echo after''-\(round)")
                try await tmux.shows("after-\(round)")
            }
            try await proxy.cut()
            try await tmux.resize(columns: 70, rows: 20)
            try await tmux.shows("size 20 70") { try await tmux.type("echo size $(stty size)") }
            try await tmux.type("exit 4")
            try await tmux.shows("code 4")
        }
    }

    @Test("What fails says so on a line of its own, and the terminal is as before")
    func failures() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type("execstream run -it no-such-command; echo ended with $?")
            let screen = try await tmux.shows("ended with 127")
            #expect(screen.contains("\nexecstream: "))
            try await tmux.type("clear; execstream run -it --json sh; echo ended with $?")
            try await tmux.shows("ended with 2")
            try await tmux.type("clear; execstream run -it sh < /dev/null; echo ended with $?")
            let refused = try await tmux.shows("ended with 125")
            #expect(refused.hasPrefix("execstream: run -t needs a terminal on stdin"))
        }
    }

    @Test("run -t alone sends nothing that is typed, follows the size, and passes signals on")
    func withoutInput() async throws {
        try await withTerminal { house, tmux in
            try await tmux.type("execstream run -t \(try Self.watcher(house)); echo code $?")
            try await tmux.shows("\nup\n")
            try await tmux.resize(columns: 70, rows: 20)
            try await tmux.shows("20 70")
            try await tmux.press("C-c")
            try await tmux.shows("got it")
            try await tmux.shows("code 9")
        }
    }

    @Test("Of two users the one whose terminal changed last decides the size")
    func twoUsers() async throws {
        try await withTerminal { house, first in
            try await first.type(Self.shell)
            try await first.shows("inner>")
            try await Tmux.run(house, named: "other", columns: 70) { second in
                try await second.type("execstream attach -i t/sh")
                try await second.shows("size 30 70") {
                    try await second.type("echo size $(stty size)")
                }
                try await first.shows("size 30 70")
                try await first.resize(columns: 80, rows: 25)
                try await first.shows("size 25 80") {
                    try await first.type("echo size $(stty size)")
                }
                try await second.shows("size 25 80")
                try await second.detach()
            }
            try await first.type("exit")
            try await first.shows("outer>") { try await first.type("") }
        }
    }

    @Test("attach -i to a terminal sends a file's bytes, and then its end, whoever else looks on")
    func file() async throws {
        try await House.run { house in
            let script = "stty -echo; echo up; exec cat"
            let started = try await house.run(
                "run",
                "-dt",
                "-c",
                "t",
                "-e",
                "c",
                "sh",
                "-c",
                script
            )
            #expect(started.code == 0)
            let others = try (1...5).map { _ in try house.start(["attach", "t/c"]) }
            for other in others { try await other.prints("up") }
            let said = try await house.run("attach", "-i", "t/c", input: "one\ntwo")
            #expect(said.code == 0)
            #expect(said.stdout == "up\r\none\r\ntwo")
            for other in others { #expect(try await other.end().stdout == said.stdout) }
        }
    }
}
