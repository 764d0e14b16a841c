internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    @Test func `is collected once it has ended, and once only`() async throws {
        var input = try Pipe.make()
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        let held = HeldChild(
            try Spawn.start(
                sh("read x; exit 3"),
                stdin: input.takeReadEnd(),
                stdout: null,
                stderr: null
            )
        )
        #expect(try held.child.collect() == nil)
        try input.takeWriteEnd().write("go\n")
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 3)
        #expect(throws: Errno(ECHILD)) { try held.child.collect() }
        #expect(throws: Errno.noSuchProcess) { try held.child.signal(SIGTERM, group: false) }
        #expect(throws: Errno.noSuchProcess) { try held.child.signal(SIGTERM, group: true) }
    }

    @Test func `still tells how it ended when somebody else collected it`() async throws {
        let held = try start(sh("exit 5"))
        _ = try await withLoop { try await $0.end(of: held) }
        do {
            #expect(try held.child.endAfterCollection()?.code == 5)
        } catch {
            // A kernel before 6.15.
            #expect([Errno(ENOTTY), .invalid].contains(error))
            return
        }
        let killed = try start(sh("kill -9 $$"))
        let end = try await withLoop { try await $0.end(of: killed) }
        #expect(try killed.child.endAfterCollection()?.signal == end.signal)
        let running = try start(SpawnRequest(argv: ["sleep", "60"]))
        #expect(try running.child.endAfterCollection() == nil)
        try running.child.signal(SIGKILL, group: false)
        _ = try await withLoop { try await $0.end(of: running) }
    }

    @Test func `is signalled alone or with its group`() async throws {
        let script = "trap : TERM; sh -c 'echo ready; exec sleep 60'; echo $?"
        for group in [false, true] {
            let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
            var output = try Pipe.make()
            let held = HeldChild(
                try Spawn.start(
                    sh(script),
                    stdin: null,
                    stdout: output.takeWriteEnd(),
                    stderr: null
                )
            )
            let reader = output.takeReadEnd()
            #expect(try reader.readText() == "ready\n")
            // Caught by the leader, deadly for the other one.
            try held.child.signal(SIGTERM, group: group)
            if !group { try held.child.signal(SIGKILL, group: true) }
            let end = try await withLoop { try await $0.end(of: held) }
            #expect(end.signal == (group ? 0 : SIGKILL))
            #expect(try reader.readToEnd() == (group ? "143\n" : ""))
        }
    }

    @Test func `reaches a group that outlived its leader`() async throws {
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        var output = try Pipe.make()
        let held = HeldChild(
            try Spawn.start(
                sh("sleep 60 & exit 0"),
                stdin: null,
                stdout: output.takeWriteEnd(),
                stderr: null
            )
        )
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 0)
        try held.child.signal(SIGKILL, group: true)
        #expect(try output.takeReadEnd().readToEnd() == "")
    }

    @Test func `tells the truth about many at a time, and leaves nothing behind`() async {
        await #expect(processExitsWith: .success) {
            let before = try openDescriptors()
            try await withLoops(4) { loops in
                let wrong = Shared<[String]>([])
                let ended = Shared(0)
                try await withThrowingTaskGroup { group in
                    for (number, loop) in loops.enumerated() {
                        for round in 0..<50 {
                            let code = Int32((number * 50 + round) % 256)
                            group.addTask {
                                let held = try await loop.perform {
                                    try start(
                                        sh("exit \(code)"),
                                        method: methods[round % 2]
                                    )
                                }
                                let end = try await loop.end(of: held)
                                ended.change { $0 += 1 }
                                if end.code != code {
                                    wrong.change { $0.append("\(code): \(end)") }
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                if ended.value != 200 { fail("\(ended.value) of 200 ended") }
                if !wrong.value.isEmpty { fail("\(wrong.value)") }
            }
            if hasChildren() { fail("a child is left") }
            let left = try openDescriptors().subtracting(before)
            if !left.isEmpty { fail("left open: \(left)") }
        }
    }

    @Test func `starts with any descriptors, also those that it replaces`() async {
        await #expect(processExitsWith: .success) {
            for method in methods {
                for order in [
                    [0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 2, 1], [1, 0, 2],
                ] {
                    let seen = try wiring(order.map(Int32.init), method)
                    #expect(seen == "in|out|err")
                }
            }
            let shared = try sharedWiring()
            #expect(shared == "out\nerr\n")
        }
    }

    @Test func `makes orphans its own where asked`() async {
        await #expect(processExitsWith: .success) {
            try Subreaper.enable()
            var output = try Pipe.make()
            let null = try Files.open("/dev/null", .readOnly)
            let writer = output.takeWriteEnd()
            // The sleeper's parent ends at once.
            let script = "sh -c 'sleep 60 >/dev/null & echo $!'"
            let held = HeldChild(
                try Spawn.start(sh(script), stdin: null, stdout: writer, stderr: writer)
            )
            _ = try await withLoop { try await $0.end(of: held) }
            let line = try #require(try output.takeReadEnd().readText())
            let orphan = try #require(Int32(line.dropLast()))
            let stat = try text(of: "/proc/\(orphan)/stat").split(separator: " ")
            #expect(stat[3] == "\(getpid())")
            kill(orphan, SIGKILL)
            waitpid(orphan, nil, 0)
            #expect(!hasChildren())
        }
    }

    @Test func `raises the limit of descriptors`() async {
        await #expect(processExitsWith: .success) {
            var low = rlimit(rlim_cur: 256, rlim_max: 512)
            if setrlimit(__rlimit_resource_t(ResourceLimit.openFiles), &low) != 0 { fail("limit") }
            let before = ResourceLimits.openFiles
            #expect(before == ResourceLimit(resource: 7, soft: 256, hard: 512))
            let raised = ResourceLimits.raiseOpenFiles()
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            #expect(limit.rlim_cur == limit.rlim_max)
            #expect(raised == UInt64(limit.rlim_cur))
            #expect(ResourceLimits.openFiles.soft == 512)
            // Children can be given what was there before.
            var request = sh("ulimit -n; ulimit -Hn")
            request.resourceLimits = [before]
            let limits = try await outcome(of: request).stdout
            #expect(limits == "256\n512\n")
        }
    }
}

/// Runs a program whose stdin, stdout and stderr are our own 0, 1 and 2 in the given order, and tells
/// what went through them. For exit tests.
func wiring(_ order: [Int32], _ method: SpawnMethod) throws -> String {
    let saved = (0...2).map { fcntl($0, F_DUPFD_CLOEXEC, 100) }
    defer {
        for (number, copy) in saved.enumerated() {
            dup2(copy, Int32(number))
            close(copy)
        }
    }
    var input = try Pipe.make()
    var output = try Pipe.make()
    var errors = try Pipe.make()
    let child: HeldChild
    do {
        let (first, second, third) = (
            Held(input.takeReadEnd()), Held(output.takeWriteEnd()), Held(errors.takeWriteEnd())
        )
        for (number, held) in zip(order, [first, second, third]) {
            dup2(held.descriptor.number, number)
        }
    }
    do {
        let stdin = Descriptor(owning: order[0])
        let stdout = Descriptor(owning: order[1])
        let stderr = Descriptor(owning: order[2])
        let script = sh("read x; printf \"$x\"; printf err >&2; printf '|out'")
        child = HeldChild(
            try Spawn.start(script, stdin: stdin, stdout: stdout, stderr: stderr, method: method)
        )
    }
    try input.takeWriteEnd().write("in\n")
    let seen = try output.takeReadEnd().readToEnd() + "|" + errors.takeReadEnd().readToEnd()
    while try child.child.collect() == nil { sched_yield() }
    return seen
}

/// Runs a program that has one descriptor three times, and tells what it wrote.
func sharedWiring() throws -> String {
    var pair = try Sockets.pair()
    let near = pair.takeFirst()
    let far = pair.takeSecond()
    let child = HeldChild(
        try Spawn.start(sh("echo out; echo err >&2"), stdin: far, stdout: far, stderr: far)
    )
    far.close()
    try near.setNonBlocking(false)
    let seen = try near.readToEnd()
    while try child.child.collect() == nil { sched_yield() }
    return seen
}
