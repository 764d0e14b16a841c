internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite struct ProcessRecordTests {
    private let units = ProcessRecord.Units(ticksPerSecond: 100, pageBytes: 4096)
    /// From the state on, with another number in each field that is read.
    private let rest =
        "S 11 12 13 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 16 0 987654 1000 17 1 2 3 4 5"

    private func record(_ text: String) -> ProcessRecord? {
        ProcessRecord(stat: Array(text.utf8), units: units)
    }

    @Test(arguments: [
        "sh", "", "(", ")", "a b", ") S 1 2 3", "((x) y)", "line\nfeed", "ü", "4711 (x) R",
    ])
    func `reads a process of any name`(name: String) {
        #expect(
            record("10 (\(name)) \(rest)\n")
                == ProcessRecord(
                    pid: 10,
                    name: name,
                    state: "S",
                    parent: 11,
                    group: 12,
                    session: 13,
                    threads: 16,
                    startTicks: 987_654,
                    cpuUS: 2_000_000,
                    rssBytes: 17 * 4096
                )
        )
    }

    @Test func `takes nothing that has another form`() {
        let whole = "10 (sh) \(rest)"
        #expect(record(whole) != nil)
        // Cut anywhere before the last field that is read, which is as good with fewer digits.
        let needed = whole.utf8.count - " 1 2 3 4 5".utf8.count - "7".utf8.count
        for length in 0..<needed {
            #expect(record(String(decoding: whole.utf8.prefix(length), as: UTF8.self)) == nil)
        }
        for text in [
            "", ")(", "x (sh) \(rest)", "10 sh \(rest)", "10 (sh) SS \(rest.dropFirst(2))",
            "10 (sh) S x \(rest.dropFirst(5))", "(sh) \(rest)", "99999999999 (sh) \(rest)",
        ] {
            #expect(record(text) == nil)
        }
        #expect(ProcessRecord(stat: [0xff, 0xfe], units: units) == nil)
    }

    @Test func `adds up what io tells of devices`() {
        let text = "rchar: 5\nwchar: 6\nread_bytes: 7\nwrite_bytes: 8\ncancelled_write_bytes: 9\n"
        #expect(ProcessIO(text: text) == ProcessIO(readBytes: 7, writtenBytes: 8))
        #expect(ProcessIO(text: "rchar: 5\n") == nil)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ProcessTableTests {
    private func process(_ pid: Int32, of parent: Int32, session: Int32 = 1) -> ProcessRecord {
        ProcessRecord(
            pid: pid,
            name: "",
            state: "S",
            parent: parent,
            group: 1,
            session: session,
            threads: 1,
            startTicks: 1,
            cpuUS: 0,
            rssBytes: 0
        )
    }

    @Test func `knows children and theirs, even where the tree is none`() {
        let table = ProcessTable([
            process(9, of: 5), process(5, of: 3), process(3, of: 1), process(4, of: 3),
            process(7, of: 2), process(20, of: 21, session: 4), process(21, of: 20, session: 4),
        ])
        #expect(table.descendants(of: 3).map(\.pid) == [4, 5, 9])
        #expect(table.descendants(of: 9).isEmpty)
        #expect(table.descendants(of: 20).map(\.pid) == [21])
        #expect(table.members(ofSession: 4).map(\.pid) == [20, 21])
        #expect(table.members(ofSession: 5).isEmpty)
    }

    @Test func `shows what runs here`() async throws {
        var output = try Pipe.make()
        let null = try Files.open("/dev/null", .readOnly)
        var request = sh("setsid sleep 60 & sleep 60 & echo; wait")
        request.environment = ["PATH=/usr/bin:/bin", "MARK=a=b", "EMPTY="]
        let held = HeldChild(
            try Spawn.start(
                request,
                stdin: null,
                stdout: output.takeWriteEnd(),
                stderr: null
            )
        )
        #expect(try output.takeReadEnd().readText() == "\n")
        let pid = held.child.pid
        let own = try #require(ProcessRecord.read(getpid()))
        #expect(own.parent == getppid())
        #expect(own.threads >= 1)
        #expect(own.rssBytes > 1 << 20)
        let table = ProcessTable.snapshot()
        let shell = try #require(table.processes.first { $0.pid == pid })
        #expect(shell.parent == getpid())
        #expect(shell.session == pid)
        #expect(shell.group == pid)
        #expect(!shell.hasEnded)
        #expect(shell.startTicks > 0)
        let children = table.descendants(of: pid)
        #expect(children.count == 2)
        #expect(table.members(ofSession: pid).contains { $0.pid == pid })
        for child in children {
            #expect(ProcessTable.environmentContains(pid: child.pid, "MARK=a=b"))
            #expect(ProcessTable.environmentContains(pid: child.pid, "EMPTY="))
            for other in ["MARK=a", "MARK=a=bc", "ARK=a=b", "EMPTY", "B="] {
                #expect(!ProcessTable.environmentContains(pid: child.pid, other))
            }
            #expect(ProcessTable.io(of: child.pid) != nil)
        }
        // The shell first: it would end by itself without them.
        for process in [shell] + children {
            let reference = try ProcessReference(pid: process.pid, startTicks: process.startTicks)
            try reference.signal(SIGKILL)
        }
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.signal == SIGKILL)
        #expect(ProcessRecord.read(pid) == nil)
        #expect(ProcessTable.io(of: pid) == nil)
        #expect(!ProcessTable.environmentContains(pid: pid, "MARK=a=b"))
    }

    @Test func `finds a string in an environment of any size`() throws {
        let directory = try TemporaryDirectory()
        // So that strings lie across the borders of what is read at once.
        let strings = (0..<5000).map { "VARIABLE_\($0)=\($0)" }
        let path = try directory.file("environ", strings.map { "\($0)\0" }.joined())
        func contains(_ entry: String, max: Int = 1 << 20) throws -> Bool {
            try Files.open(path, .readOnly).containsString(Array(entry.utf8), bytesMax: max)
        }
        for string in strings.enumerated() where string.offset % 500 == 0 {
            #expect(try contains(string.element))
            #expect(try !contains(String(string.element.dropFirst())))
        }
        #expect(try !contains("VARIABLE_4999=4999", max: 16_384))
    }
}

@Suite(.timeLimit(.minutes(1))) struct ProcessReferenceTests {
    @Test func `is refused where the number is another's by now`() async throws {
        let held = try start(SpawnRequest(argv: ["sleep", "60"]))
        let record = try #require(ProcessRecord.read(held.child.pid))
        #expect(throws: Errno.noSuchProcess) {
            _ = try ProcessReference(pid: record.pid, startTicks: record.startTicks - 1)
        }
        let reference = try ProcessReference(pid: record.pid, startTicks: record.startTicks)
        #expect(!reference.waitForEnd(atMost: .zero))
        try reference.signal(SIGTERM)
        try await withLoop { loop in
            try await loop.finish { done in
                var registration: Registration?
                registration = try reference.register(
                    on: loop,
                    Handler { _ in
                        if let registration { loop.deregister(registration) }
                        done(())
                    }
                )
            }
            let end = try await loop.end(of: held)
            #expect(end.signal == SIGTERM)
        }
        #expect(reference.waitForEnd(atMost: .zero))
        #expect(throws: Errno.noSuchProcess) { try reference.signal(SIGTERM) }
        #expect(throws: Errno.noSuchProcess) {
            _ = try ProcessReference(pid: record.pid, startTicks: record.startTicks)
        }
    }
}
