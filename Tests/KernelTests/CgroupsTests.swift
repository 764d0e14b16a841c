internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1)), .enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
struct CgroupsTests {
    let cgroups = Cgroups()

    private func make(_ exec: String = "e", in container: String = "c") throws -> Cgroup {
        try #require(try cgroups.make(container: container, exec: exec))
    }

    private func path(_ cgroup: Cgroup) throws -> String {
        try #require(cgroup.unified).directory.path
    }

    @Test func `holds what a program starts, also in a session of its own`() async throws {
        defer { cgroups.close() }
        let group = try make()
        #expect(try path(group).hasSuffix("/c/e"))
        #expect(!group.isPopulated)
        #expect(group.processes == [])
        let held = try group.started("setsid sleep 60 & setsid sleep 60 & echo; wait")
        #expect(group.processes.count == 3)
        #expect(group.processes.contains(held.child.pid))
        #expect(group.isPopulated)
        #expect(!group.remove())
        #expect(try group.kill())
        try await withLoop { loop in
            let end = try await loop.end(of: held)
            #expect(end.signal == SIGKILL)
            _ = try await group.state(on: loop) { !$0.isPopulated }
        }
        #expect(group.remove())
        #expect(try !Files.exists(path(group)))
        // The container's group goes with it.
        #expect(try !Files.exists(#require(Files.parent(of: path(group)))))
    }

    @Test func `stands still, and says when`() async throws {
        defer { cgroups.close() }
        let group = try make()
        let held = try group.started("while :; do :; done & echo; wait")
        try await withLoop { loop in
            var isDone = try group.freeze()
            #expect(isDone)
            _ = try await group.state(on: loop, \.isFrozen)
            // Once frozen, nobody consumes anything.
            let before = group.usage.cpuUS
            #expect(before != nil)
            #expect(group.usage.cpuUS == before)
            isDone = try group.thaw()
            #expect(isDone)
            _ = try await group.state(on: loop) { !$0.isFrozen }
            // Also what stands still can be killed.
            isDone = try group.freeze()
            #expect(isDone)
            let state = try await group.state(on: loop, \.isFrozen)
            #expect(state.isPopulated)
            isDone = try group.kill()
            #expect(isDone)
            _ = try await loop.end(of: held)
            _ = try await group.state(on: loop) { !$0.isPopulated }
        }
        #expect(group.remove())
    }

    @Test func `ends its watch where it was removed meanwhile`() async throws {
        defer { cgroups.close() }
        // The kernel holds news back for 10 ms after others, and forgets them with the group.
        for _ in 0..<100 {
            let told = try await watchRemoved(try make())
            if told == [false] { return }
            #expect(told == [])
        }
        Issue.record("the kernel has never told of a group that was removed")
    }

    /// Removes the group in the turn in which its watch is to be told; returns what that was.
    private func watchRemoved(_ group: Cgroup) async throws -> [Bool] {
        let held = try group.start(SpawnRequest(argv: ["sleep", "60"]))
        return try await withLoop { loop in
            let told = Shared<[Bool]>([])
            let watch = try await loop.perform {
                let watch = try CgroupWatch(group, on: loop) { state in
                    told.change { $0.append(state.isPopulated) }
                }
                // The news is there before this turn ends, and the group is gone by then.
                let unified = try #require(group.unified)
                let events = try unified.directory.open(Cgroup.eventsFile)
                _ = try events.text(at: 0)
                let isKilled = try group.kill()
                #expect(isKilled)
                while group.isPopulated { events.waitForChange() }
                #expect(group.remove())
                #expect(watch.state.isPopulated)
                return LoopBound(watch, on: loop)
            }
            // A timer's turn begins with what is ready: by then it has been told, or never will be.
            let registered: Int = try await loop.finish { done in
                loop.schedule(after: .zero) {
                    done(loop.table.count)
                    watch.value.cancel()
                }
            }
            #expect(registered == (told.value.isEmpty ? 1 : 0))
            _ = try await loop.end(of: held)
            return told.value
        }
    }

    @Test func `removes the groups that a program made`() async throws {
        defer { cgroups.close() }
        let group = try make()
        let path = try path(group)
        let script =
            "mkdir -p \(path)/a/b \(path)/c && echo 0 >\(path)/a/b/cgroup.procs && echo; read x"
        let null = try Files.open("/dev/null", .readOnly)
        var input = try Pipe.make()
        var output = try Pipe.make()
        let held = HeldChild(
            try Spawn.start(
                sh(script),
                stdin: input.takeReadEnd(),
                stdout: output.takeWriteEnd(),
                stderr: null,
                cgroup: group
            )
        )
        #expect(try output.takeReadEnd().readText() == "\n")
        #expect(group.processes == [held.child.pid])
        #expect(!group.remove())
        try input.takeWriteEnd().write("\n")
        try await withLoop { loop in
            _ = try await loop.end(of: held)
            _ = try await group.state(on: loop) { !$0.isPopulated }
        }
        #expect(group.remove())
        #expect(!Files.exists(path))
    }

    @Test func `gives each exec a group of its own, also under the same name`() throws {
        defer { cgroups.close() }
        let (one, two) = (try make(), try make())
        #expect(try path(one) != path(two))
        #expect(one.remove())
        let three = try make()
        #expect(try path(three) == path(one))
        // The old one's verbs don't reach the new one.
        #expect(one.remove())
        #expect(one.processes == [])
        #expect(one.state == nil)
        #expect(try one.kill())
        #expect(throws: Errno.notFound) { _ = try one.unified?.directory.open("cgroup.events") }
        #expect(try Files.exists(path(three)))
        #expect(two.remove())
        #expect(three.remove())
    }

    @Test(arguments: ["cgroup.procs", "tasks", "_", "_a", "memory.max", "a.b", "..", "a"])
    func `takes any name, also of the kernel's files`(name: String) throws {
        defer { cgroups.close() }
        let group = try make(name, in: name)
        let other = try make("_\(name)", in: name)
        #expect(try path(group) != path(other))
        #expect(group.remove())
        #expect(other.remove())
    }

    @Test func `signals one by one where it must`() async throws {
        defer { cgroups.close() }
        let group = try make()
        let held = try group.started("sleep 60 & echo; wait")
        #expect(group.signal(SIGKILL) == 2)
        try await withLoop { loop in
            let end = try await loop.end(of: held)
            #expect(end.signal == SIGKILL)
            _ = try await group.state(on: loop) { !$0.isPopulated }
        }
        #expect(group.signal(SIGKILL) == 0)
        #expect(group.remove())
    }

    @Test func `leaves nothing after hundreds`() async {
        await #expect(processExitsWith: .success) {
            let before = try openDescriptors()
            let cgroups = Cgroups()
            guard let own = try? cgroups.unified.get().own.path else { fail("no base") }
            try await withLoops(2) { loops in
                for round in 0..<100 {
                    for loop in loops {
                        guard
                            let group = try cgroups.make(
                                container: "c\(round % 7)",
                                exec: "\(round)"
                            )
                        else { fail("no group") }
                        let request = round % 10 == 0 ? sh("sleep 60 & exit 3") : sh("exit 3")
                        let held = try group.start(request)
                        let end = try await loop.end(of: held)
                        if end.code != 3 { fail("\(end)") }
                        if try !group.kill() { fail("cannot kill") }
                        _ = try await group.state(on: loop) { !$0.isPopulated }
                        if !group.remove() { fail("busy") }
                    }
                }
            }
            let base = "\(own)/\(CgroupLeftover.name(of: .own()))"
            if !(try Files.list(base)).filter({ Files.isDirectory("\(base)/\($0)") }).isEmpty {
                fail("a group is left")
            }
            cgroups.close()
            if Files.exists(base) { fail("the base is left") }
            if hasChildren() { fail("a child is left") }
            // Less those of this object itself.
            let left = try openDescriptors().subtracting(before).filter { !$0.contains("/cgroup") }
            if !left.isEmpty { fail("left open: \(left)") }
            let groups = try openDescriptors().subtracting(before).filter { $0.contains("/c") }
            if groups.contains(where: { $0.contains(base + "/") }) { fail("open: \(groups)") }
        }
    }
}

extension Descriptor {
    /// Blocks the thread until the file says something else than when it was read last.
    fileprivate func waitForChange() {
        var entry = pollfd(fd: number, events: Int16(POLLPRI), revents: 0)
        poll(&entry, 1, 1000)
    }
}
