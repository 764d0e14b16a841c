internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct PipeHoldersTests {
    @Test func `finds a process that holds a pipe after the one that made it ended`() async throws {
        let null = try Files.open("/dev/null", .readOnly)
        var output = try Pipe.make()
        var errors = try Pipe.make()
        let held = HeldChild(
            try Spawn.start(
                sh(
                    "(exec 2>/dev/null; echo a; exec sleep 60) &"
                        + " (exec >/dev/null; echo b >&2; exec sleep 60) & exit 0"
                ),
                stdin: null,
                stdout: output.takeWriteEnd(),
                stderr: errors.takeWriteEnd()
            )
        )
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 0)
        let (stdout, stderr) = (Held(output.takeReadEnd()), Held(errors.takeReadEnd()))
        // Each has let go of the other's pipe by the time it says something.
        #expect(try stdout.descriptor.readText() == "a\n")
        #expect(try stderr.descriptor.readText() == "b\n")
        let both = find(stdout, stderr, session: held.child.pid)
        #expect(both.count == 2)
        // One may not have come to its `exec` yet.
        #expect(both.allSatisfy { ["sh", "sleep"].contains(try? command($0)) })
        #expect(!both.contains(getpid()))
        // Each of them holds one; no pipe, no holder.
        #expect(find(stdout, nil, session: held.child.pid) == [both[0]])
        #expect(find(nil, stderr, session: held.child.pid) == [both[1]])
        #expect(find(nil, nil, session: held.child.pid) == [])
        try held.child.signal(SIGKILL, group: true)
        #expect(try stdout.descriptor.readToEnd() == "")
        #expect(try stderr.descriptor.readToEnd() == "")
        #expect(find(stdout, stderr, session: held.child.pid) == [])
    }

    /// Less the processes that other tests are just starting: those have copies for a moment.
    private func find(_ stdout: Held?, _ stderr: Held?, session: Int32) -> [Int32] {
        let out = try? stdout?.descriptor.duplicate()
        let errors = try? stderr?.descriptor.duplicate()
        return PipeHolders.find(stdout: out, stderr: errors).filter { getsid($0) == session }
    }

    private func command(_ pid: Int32) throws -> String {
        String(try text(of: "/proc/\(pid)/comm").dropLast())
    }
}
