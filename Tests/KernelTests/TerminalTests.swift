internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1)))
struct TerminalTests {
    @Test func `says from either side what ends the input`() throws {
        var ends = try Terminal.make()
        let master = ends.takeMaster()
        let inner = ends.takeInner()
        let usual = TerminalInput(endOfFile: 4, isLineByLine: true)
        let (ours, theirs) = (try master.terminalInput, try inner.terminalInput)
        #expect(ours == usual && theirs == usual)
        var modes = try inner.terminalModes()
        #expect(modes.c_iflag & tcflag_t(IUTF8) != 0)
        modes.c_lflag &= ~tcflag_t(ICANON)
        withUnsafeMutableBytes(of: &modes.c_cc) { $0[Int(VEOF)] = 0 }
        #expect(tcsetattr(inner.number, TCSANOW, &modes) == 0)
        let changed = try master.terminalInput
        #expect(changed == TerminalInput(endOfFile: nil, isLineByLine: false))
    }

    @Test func `what is no terminal says so`() throws {
        let file = try Files.open("/dev/null", .readOnly)
        #expect(throws: Errno(ENOTTY)) { try file.terminalInput }
    }

    @Test(arguments: [(SIGTERM, true), (SIGHUP, false), (SIGUSR1, false)])
    func `a process that ignores a signal is known`(signal: Int32, isIgnored: Bool) async throws {
        var pipe = try Pipe.make()
        let null = try Files.open("/dev/null", .readOnly)
        let script = "trap '' TERM; trap : USR1; echo; exec 1>&-; sleep 60 & wait"
        let request = SpawnRequest(argv: ["sh", "-c", script])
        let write = pipe.takeWriteEnd()
        let child = HeldChild(
            try Spawn.start(request, stdin: null, stdout: write, stderr: null)
        )
        write.close()
        // Once it has said something its traps are set.
        let read = pipe.takeReadEnd()
        #expect(try read.readText() == "\n")
        #expect(Signals.isIgnored(signal, by: child.child.pid) == isIgnored)
        try child.child.signal(SIGKILL, group: true)
        // A child that nobody collects stops the library's exit tests, which look at any.
        #expect(try await withLoop { try await $0.end(of: child) }.signal == SIGKILL)
    }

    @Test func `of no process and no signal nothing is claimed`() {
        #expect(!Signals.isIgnored(SIGTERM, by: 0))
        for signal: Int32 in [-1, 0, 65] { #expect(!Signals.isIgnored(signal, by: getpid())) }
    }
}
