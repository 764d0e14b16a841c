internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct OrphansTests {
    @Test func `collects orphans, and none of ours`() async {
        await #expect(processExitsWith: .success) {
            // There is nothing at all yet.
            if Orphans.collect(unless: { _ in false }) != 0 { fail("who is that?") }
            try Subreaper.enable()
            // Three orphans that end when we say so, and the one who leaves them.
            var gate = try Pipe.make()
            var output = try Pipe.make()
            let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
            // By a copy: a shell gives what is in the background no stdin.
            let script =
                "exec 3<&0; for i in 1 2 3; do sh -c 'read x; exit 4' <&3 & done;"
                + " echo; exit 7"
            let ours = HeldChild(
                try Spawn.start(
                    sh(script),
                    stdin: gate.takeReadEnd(),
                    stdout: output.takeWriteEnd(),
                    stderr: null
                )
            )
            let pid = ours.child.pid
            if try output.takeReadEnd().readText() != "\n" { fail("no line") }
            // Ours has ended, and is left alone for as long as it is ours.
            var info = siginfo_t()
            if waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0 { fail("\(errno)") }
            if Orphans.collect(unless: { $0 == pid }) != 0 { fail("took something") }
            let orphans = ProcessTable.snapshot().descendants(of: getpid())
                .filter { $0.pid != pid }
            if orphans.count != 3 { fail("\(orphans)") }
            let references = try orphans.map {
                try ProcessReference(pid: $0.pid, startTicks: $0.startTicks)
            }
            gate.takeWriteEnd().close()
            for reference in references where !reference.waitForEnd(atMost: .seconds(30)) {
                fail("an orphan does not end")
            }
            let end = try ours.child.collect()
            if end?.code != 7 { fail("\(String(describing: end))") }
            // Now nothing stands before them.
            let collected = Orphans.collect { $0 == pid }
            if collected != 3 { fail("collected \(collected)") }
            if hasChildren() { fail("a child is left") }
        }
    }

    @Test func `never takes the end of a child that is ours, however many there are`() async {
        await #expect(processExitsWith: .success) {
            try Subreaper.enable()
            try await withLoop { loop in
                // The loop starts and collects, so it knows every child before this can see it.
                for _ in 0..<50 {
                    let held = try await loop.perform {
                        try start(sh("(sh -c 'exit 1' &) ; exit 5"))
                    }
                    let pid = held.child.pid
                    _ = try await loop.perform { Orphans.collect { $0 == pid } }
                    let end = try await loop.end(of: held)
                    if end.code != 5 { fail("\(end)") }
                }
                // An orphan may still be on its way out.
                while try await loop.perform({
                    _ = Orphans.collect { _ in false }
                    var info = siginfo_t()
                    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
                }) {
                    await Task.yield()
                }
            }
        }
    }
}
