internal import Glibc
internal import Testing

@testable internal import Kernel

/// A group for one test and the process that it starts to be killed, as the own one of both: nothing
/// else on the machine is touched.
private final class Playground: Sendable {
    let hierarchy: CgroupHierarchy

    /// `parent`: the test's process.
    init(_ controller: String? = nil, of parent: Int32) throws {
        guard let own = OwnCgroups.directory(controller) else { throw Errno.notFound }
        let directory = "\(own)/kernel-tests-leftovers-\(parent)"
        mkdir(directory, 0o755)
        hierarchy = CgroupHierarchy(
            controllers: controller.map { [$0] } ?? [],
            directory: directory
        )
    }

    func remove() {
        rmdir(hierarchy.directory)
    }
}

@Suite(.timeLimit(.minutes(1)), .serialized) struct CgroupLeftoversTests {
    @Test(.enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
    func `ends what a killed server left, and leaves alone who lives`() async throws {
        let playground = try Playground(of: getpid())
        defer { playground.remove() }
        let living = Cgroups(hierarchies: [playground.hierarchy], mark: .own())
        defer { living.close() }
        let made = try living.make(container: "c", exec: "living")
        let group = try #require(made)
        let child = try group.start(SpawnRequest(argv: ["sleep", "60"]))
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let playground = try Playground(of: getppid())
            let dying = Cgroups(hierarchies: [playground.hierarchy], mark: .own())
            let group = try dying.make(container: "c", exec: "e")
            _ = try group?.started("setsid sleep 60 & echo; wait")
            withExtendedLifetime(dying) { _ = kill(getpid(), SIGKILL) }
        }
        let own = try living.unified.get().own
        #expect(try own.subgroups().count == 2)
        #expect(own.processes().count == 3)
        // A server that steps aside and is killed leaves this.
        try own.makeSubgroup("execstream.1.server")
        try own.makeSubgroup("execstream.service")
        #expect(living.removeLeftovers(atMost: .seconds(30)) == 2)
        #expect(
            try own.subgroups().sorted() == [
                CgroupLeftover.name(of: .own()), "execstream.service",
            ]
        )
        #expect(group.processes == [child.child.pid])
        #expect(living.removeLeftovers() == 0)
        try own.removeSubgroup("execstream.service")
        let isKilled = try group.kill()
        #expect(isKilled)
        try await withLoop { loop in
            _ = try await loop.end(of: child)
            _ = try await group.state(on: loop) { !$0.isPopulated }
        }
        #expect(group.remove())
    }

    @Test(
        .enabled(
            if: OwnCgroups.hasV1 && OwnCgroups.directory("freezer") != nil,
            "no writable memory and freezer cgroups (v1) here"
        )
    )
    func `ends also what only cgroup v1 knows, frozen or not`() async throws {
        let playgrounds = try ["memory", "freezer"].map { try Playground($0, of: getpid()) }
        defer { for playground in playgrounds { playground.remove() } }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let playgrounds = try ["memory", "freezer"].map { try Playground($0, of: getppid()) }
            let dying = Cgroups(hierarchies: playgrounds.map(\.hierarchy), mark: .own())
            let group = try dying.make(
                container: "c",
                exec: "e",
                limits: CgroupLimits(memoryBytesMax: 64 << 20)
            )
            _ = try group?.started("setsid sleep 60 & echo; wait")
            let freezer = dying.makeFreezer(container: "c", exec: "e")
            if freezer?.freeze({ group?.processes ?? [] }) != 2 { fail("not frozen") }
            withExtendedLifetime(dying) { _ = kill(getpid(), SIGKILL) }
        }
        let hierarchies = playgrounds.map(\.hierarchy)
        let own = try hierarchies.map { try CgroupDirectory($0.directory) }
        #expect(own.map { $0.processes().count } == [2, 2])
        let next = Cgroups(hierarchies: hierarchies, mark: .own())
        #expect(next.removeLeftovers(atMost: .seconds(30)) == 2)
        #expect(try own.map { try $0.subgroups() } == [[], []])
        next.close()
    }

    @Test(.enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
    func `ends what was left although an exec has taken the lock of the base`() async throws {
        let playground = try Playground(of: getpid())
        defer { playground.remove() }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let playground = try Playground(of: getppid())
            let dying = Cgroups(hierarchies: [playground.hierarchy], mark: .own())
            let group = try dying.make(container: "c", exec: "e")
            let base = try dying.unified.get().directory.path
            // Waits in the kernel until the server has let go of the lock, which is when it is killed.
            _ = try group?.started("echo; exec flock \(base) sleep 60")
            withExtendedLifetime(dying) { _ = kill(getpid(), SIGKILL) }
        }
        let own = try CgroupDirectory(playground.hierarchy.directory)
        let base = try own.subgroup(try #require(try own.subgroups().first))
        while try base.lock() {
            // Not yet: lets go of it, and gives the exec a turn.
            flock(base.number, LOCK_UN)
            sched_yield()
        }
        let next = Cgroups(hierarchies: [playground.hierarchy], mark: .own())
        #expect(next.removeLeftovers(atMost: .seconds(30)) == 2)
        #expect(try own.subgroups() == [CgroupLeftover.name(of: .own())])
        next.close()
    }

    @Test func `knows a process by its start and its namespace, whoever has its number`() {
        let own = ServerMark.own()
        #expect(own.hasEnded == false)
        #expect(own.startTicks > 0 && own.namespace > 0)
        func with(pid: Int32? = nil, start: UInt64? = nil, namespace: UInt64? = nil) -> Bool? {
            ServerMark(
                pid: pid ?? own.pid,
                startTicks: start ?? own.startTicks,
                namespace: namespace ?? own.namespace
            ).hasEnded
        }
        #expect(with(start: own.startTicks + 1) == true)
        #expect(with(pid: Int32.max) == true)
        // Somewhere else it may live.
        #expect(with(namespace: own.namespace + 1) == nil)
        #expect(with(namespace: 0) == nil)
        #expect(with(start: 0) == false)
    }

    @Test(arguments: [
        ("execstream.1", CgroupLeftover.unmarkedBase), ("execstream.123.4", .unmarkedBase),
        ("execstream.1.2.3", .base(ServerMark(pid: 1, startTicks: 2, namespace: 3))),
        ("execstream.1.2.3.4", .base(ServerMark(pid: 1, startTicks: 2, namespace: 3))),
        ("execstream.123.server", .server), ("execstream", nil), ("execstream.", nil),
        ("execstream.x", nil), ("execstream.1.", nil), ("execstream.1.x", nil),
        ("execstream.1.2.3.4.5", nil), ("execstream.99999999999.2.3", nil),
        ("execstream.-1", nil), ("myexecstream.1", nil),
        ("execstream.service", nil), ("execstream.1.2.server", nil),
    ])
    func `knows its own names`(name: String, meaning: CgroupLeftover?) {
        #expect(CgroupLeftover(name: name) == meaning)
    }
}
