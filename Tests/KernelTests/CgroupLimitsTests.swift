internal import Glibc
internal import Testing

@testable internal import Kernel

/// Limits in the unified hierarchy, as far as they are what is written where.
@Suite struct CgroupUnifiedLimitsTests {
    private let base = "execstream.4711.0.0"

    @Test func `writes the limits that are asked for`() throws {
        let fake = try FakeHierarchy()
        let limits = CgroupLimits(memoryBytesMax: 1 << 30, pidsMax: 100, cpuMillis: 1500)
        let cgroups = fake.cgroups()
        let group = try cgroups.make(container: "c", exec: "e", limits: limits)
        #expect(group != nil)
        let path = "\(base)/c/e"
        #expect(try fake.text(of: "\(path)/memory.max") == "1073741824")
        #expect(try fake.text(of: "\(path)/memory.swap.max") == "0")
        #expect(try fake.text(of: "\(path)/pids.max") == "100")
        #expect(try fake.text(of: "\(path)/cpu.max") == "150000 100000")
        // Handed down on the whole way, and not further. (The fake keeps what was written last.)
        for directory in ["", "\(base)/", "\(base)/c/"] {
            let control = try fake.text(of: "\(directory)cgroup.subtree_control")
            #expect(control.hasPrefix("+cpu"))
        }
        #expect(try fake.text(of: "\(path)/cgroup.subtree_control") == "")
    }

    @Test func `leaves alone what is not limited`() throws {
        let fake = try FakeHierarchy()
        let cgroups = fake.cgroups()
        _ = try cgroups.make(container: "c", exec: "e")
        #expect(try fake.text(of: "cgroup.subtree_control") == "")
        let others = fake.cgroups()
        _ = try others.make(
            container: "c",
            exec: "e",
            limits: CgroupLimits(pidsMax: 5)
        )
        #expect(try fake.text(of: "cgroup.subtree_control") == "+pids")
        #expect(try fake.text(of: "\(base).2/c/e/pids.max") == "5")
        #expect(try fake.text(of: "\(base).2/c/e/memory.max") == "")
        #expect(try fake.text(of: "\(base).2/c/e/cpu.max") == "")
        cgroups.close()
        others.close()
    }

    @Test func `does not ask for what is handed down already`() throws {
        let fake = try FakeHierarchy()
        try fake.write("cpu memory pids\n", to: "cgroup.subtree_control")
        let cgroups = fake.cgroups()
        _ = try cgroups.make(container: "c", exec: "e", limits: CgroupLimits(pidsMax: 5))
        #expect(try fake.text(of: "cgroup.subtree_control") == "cpu memory pids\n")
        #expect(try fake.text(of: "\(base)/cgroup.subtree_control") == "+pids")
        cgroups.close()
        #expect(try fake.text(of: "cgroup.subtree_control") == "cpu memory pids\n")
    }

    @Test func `takes back what it handed down`() throws {
        let fake = try FakeHierarchy()
        let cgroups = fake.cgroups()
        _ = try cgroups.make(container: "c", exec: "e", limits: CgroupLimits(pidsMax: 5))
        cgroups.close()
        #expect(try fake.text(of: "cgroup.subtree_control") == "-pids")
    }

    @Test func `counts in what the kernel takes`() {
        func cpu(_ millis: UInt64, _ isUnified: Bool) -> [String] {
            CgroupLimits(cpuMillis: millis).orders(for: .cpu, isUnified: isUnified)
                .map { "\($0.file) \($0.text)" }
        }
        #expect(cpu(1000, true) == ["cpu.max 100000 100000"])
        #expect(cpu(10, true) == ["cpu.max 1000 100000"])
        // Less than 1 ms a period is refused.
        #expect(cpu(1, true) == ["cpu.max 1000 1000000"])
        #expect(cpu(2500, false) == ["cpu.cfs_period_us 100000", "cpu.cfs_quota_us 250000"])
        #expect(cpu(.max, true).count == 1)
        #expect(CgroupLimits().controllers == [])
        #expect(CgroupLimits(memoryBytesMax: 1, cpuMillis: 1).controllers == [.memory, .cpu])
    }

    @Test func `says which limit cannot be had, and why`() throws {
        let limits = CgroupLimits(memoryBytesMax: 1 << 20)
        func failure(_ cgroups: Cgroups) throws -> CgroupFailure {
            try #require(throws: CgroupFailure.self) {
                _ = try cgroups.make(container: "c", exec: "e", limits: limits)
            }
        }
        let none = try failure(Cgroups(hierarchies: [], mark: .of(1)))
        #expect(none.limit == "memory")
        #expect(
            none.message
                == "no memory cgroup can be made here: no hierarchy of cgroups controls that"
        )
        let without = try FakeHierarchy(controllers: "cpu pids")
        let other = try failure(without.cgroups())
        #expect(
            other.message
                == "no memory cgroup can be made here: this process's own cgroup was not given the"
                + " memory controller"
        )
        // The file of the limit is missing.
        let fake = try FakeHierarchy()
        let cgroups = Cgroups(hierarchies: [fake.hierarchy], mark: .of(4711)) { path in
            for file in ["cgroup.procs", "cgroup.subtree_control"] {
                _ = try? Files.writeAtomically("\(path)/\(file)", [])
            }
        }
        let missing = try failure(cgroups)
        #expect(missing.errno == .notFound)
        #expect(
            missing.message
                == "the memory limit 1048576 cannot be set: No such file or directory (ENOENT)"
        )
    }

    @Test func `has no group where none can be made, and no error`() throws {
        let cgroups = Cgroups(hierarchies: [], mark: .of(1))
        #expect(cgroups.refusal == .notFound)
        #expect(try cgroups.make(container: "c", exec: "e") == nil)
        // One that is no group, as a directory that another mount hides.
        let directory = try TemporaryDirectory()
        let hidden = Cgroups(
            hierarchies: [CgroupHierarchy(controllers: [], directory: directory.path)],
            mark: .of(1)
        )
        #expect(try hidden.make(container: "c", exec: "e") == nil)
        #expect(try Files.list(directory.path) == [])
    }

    @Test(.enabled(if: getuid() == 0)) func `has no group where nothing may be written`() async {
        await #expect(processExitsWith: .success) {
            let fake = try FakeHierarchy()
            guard chmod(fake.directory.path, 0o755) == 0, seteuid(4711) == 0 else {
                fail("cannot become another user")
            }
            defer { seteuid(0) }
            let cgroups = fake.cgroups()
            if cgroups.refusal != .accessDenied { fail("\(String(describing: cgroups.refusal))") }
            if try cgroups.make(container: "c", exec: "e") != nil { fail("a group") }
            do throws(CgroupFailure) {
                _ = try cgroups.make(
                    container: "c",
                    exec: "e",
                    limits: CgroupLimits(memoryBytesMax: 1)
                )
                fail("a group")
            } catch {
                let expected = "no memory cgroup can be made here: Permission denied (EACCES)"
                if error.message != expected { fail(error.message) }
            }
        }
    }

    @Test func `reads what a group uses`() throws {
        let fake = try FakeHierarchy()
        let made = try fake.cgroups().make(container: "c", exec: "e")
        let group = try #require(made)
        let path = "\(base)/c/e"
        #expect(group.usage == CgroupUsage())
        #expect(group.memoryLimitKills == nil)
        for (file, text) in [
            ("cpu.stat", "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n"),
            ("memory.current", "4096\n"), ("memory.max", "max\n"), ("pids.current", "3\n"),
            ("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n8:16 rbytes=1 wbytes=2\n"),
            ("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n"),
            ("cgroup.procs", "12\n0\n11\n"), ("cgroup.events", "populated 1\nfrozen 1\n"),
        ] {
            try fake.write(text, to: "\(path)/\(file)")
        }
        var usage = group.usage
        #expect(usage.cpuUS == 1234)
        #expect(usage.memoryBytes == 4096)
        #expect(usage.memoryBytesMax == nil)
        #expect(usage.pids == 3)
        #expect(usage.readBytes == 11)
        #expect(usage.writtenBytes == 22)
        #expect(group.memoryLimitKills == 1)
        #expect(group.processes == [11, 12])
        #expect(group.state == CgroupState(isPopulated: true, isFrozen: true))
        try fake.write("8192\n", to: "\(path)/memory.max")
        usage = group.usage
        #expect(usage.memoryBytesMax == 8192)
    }

    /// Where our own group hands something down, a group in it can.
    @Test(
        .enabled(
            if: OwnCgroups.hasUnified && OwnCgroups.handedDown != nil,
            "no controller of cgroup v2 is handed down to the tests"
        ),
        .timeLimit(.minutes(1))
    )
    func `steps aside where the kernel wants the own group empty, and comes back`() async {
        await #expect(processExitsWith: .success) {
            let group = try TemporaryCgroup()
            let (own, controller) = (group.part.directory, OwnCgroups.handedDown ?? "")
            try own.write("0", to: "cgroup.procs")
            let base = try CgroupBase(in: own, mark: .own())
            var controllers = UnifiedControllers(base: base, pid: getpid())
            // Somebody else is here.
            let cgroup = group.cgroup
            let other = try cgroup.start(SpawnRequest(argv: ["sleep", "60"]))
            do throws(Errno) {
                try controllers.enable(controller)
                fail("enabled")
            } catch {
                if error != .busy { fail("\(error)") }
            }
            try other.child.signal(SIGKILL, group: false)
            _ = try await withLoop { try await $0.end(of: other) }
            try controllers.enable(controller)
            if !own.ownProcesses().isEmpty { fail("still in it") }
            if try own.words(in: UnifiedControllers.file) != [controller] { fail("not enabled") }
            if !base.remove() { fail("the base is busy") }
            controllers.takeBack()
            if own.ownProcesses() != [getpid()] { fail("not back") }
            if try !own.subgroups().isEmpty { fail("a group is left") }
            // Out of it, so that it can be removed.
            try group.part.base.write("0", to: "cgroup.procs")
        }
    }
}

/// Limits in the hierarchies of cgroup v1, as the kernel keeps them.
@Suite(.timeLimit(.minutes(1)), .enabled(if: OwnCgroups.hasV1, "\(OwnCgroups.noV1)"))
struct CgroupV1LimitsTests {
    let cgroups = Cgroups()

    private func make(_ limits: CgroupLimits) throws -> Cgroup {
        try #require(try cgroups.make(container: "c", exec: "e", limits: limits))
    }

    private func remove(_ group: Cgroup) async throws {
        // What was killed takes a moment.
        while !group.remove() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    @Test func `kills what uses too much memory, and counts it`() async throws {
        defer { cgroups.close() }
        let group = try make(CgroupLimits(memoryBytesMax: 16 << 20))
        #expect(group.memoryLimitKills == 0)
        #expect(group.usage.memoryBytesMax == 16 << 20)
        // Without a line feed it all has to be kept.
        let held = try group.start(sh("head -c 200m /dev/zero | tail; exit 5"))
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 5 || end.signal == SIGKILL)
        #expect(try #require(group.memoryLimitKills) >= 1)
        try await remove(group)
    }

    @Test func `bounds the number of processes`() async throws {
        defer { cgroups.close() }
        let group = try make(CgroupLimits(pidsMax: 2))
        // A shell gives up where it can't start something.
        let held = try group.start(sh("sleep 60 & sleep 60 & exit 5"))
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 2)
        #expect(group.processes.count == 1)
        #expect(group.usage.pids == 1)
        #expect(group.signal(SIGKILL) == 1)
        try await remove(group)
    }

    @Test func `has no directory left where a limit cannot be set`() throws {
        defer { cgroups.close() }
        let failure = try #require(throws: CgroupFailure.self) {
            _ = try make(CgroupLimits(memoryBytesMax: 1 << 30, pidsMax: .max))
        }
        #expect(failure.limit == "pids")
        #expect(failure.message.hasPrefix("the pids limit \(UInt64.max) cannot be set: "))
        for controller in ["memory", "pids"] {
            let base = try #require(try cgroups.v1Base(of: controller))
            #expect(try base.directory.subgroups() == [])
        }
    }

    @Test func `gives its processor time by quota`() throws {
        defer { cgroups.close() }
        guard OwnCgroups.directory("cpu") != nil else { return }
        let group = try make(CgroupLimits(cpuMillis: 250))
        let part = try #require(group.v1.first)
        #expect(part.directory.count(in: "cpu.cfs_quota_us") == 25_000)
        #expect(part.directory.count(in: "cpu.cfs_period_us") == 100_000)
        #expect(group.remove())
    }

    @Test(.enabled(if: OwnCgroups.directory("freezer") != nil, "no writable freezer (v1) here"))
    func `freezes without cgroup v2, with what is started meanwhile`() async throws {
        defer { cgroups.close() }
        let held = try start(sh("while :; do sleep 0.001; done"))
        let pid = held.child.pid
        let freezer = try #require(cgroups.makeFreezer(container: "c", exec: "e"))
        #expect(!freezer.isFrozen || freezer.processes == [])
        let count = freezer.freeze {
            [pid] + ProcessTable.snapshot().descendants(of: pid).map(\.pid)
        }
        #expect(count >= 1)
        while !freezer.isFrozen {
            try Task.checkCancellation()
            await Task.yield()
        }
        let before = ProcessRecord.read(pid)?.cpuUS
        #expect(freezer.processes.contains(pid))
        // A signal is taken only once it is thawed.
        try held.child.signal(SIGKILL, group: true)
        #expect(try held.child.collect() == nil)
        #expect(ProcessRecord.read(pid)?.cpuUS == before)
        while try !freezer.thaw() {
            try Task.checkCancellation()
            await Task.yield()
        }
        #expect(try await withLoop { try await $0.end(of: held) }.signal == SIGKILL)
    }
}
