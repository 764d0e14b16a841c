internal import Glibc
internal import Testing

@testable internal import Kernel

/// From Linux 6.14 on the kernel kills a process at its birth in a cgroup where that group, or its parent's,
/// was once written `cgroup.kill`.
@Suite(.timeLimit(.minutes(1))) struct KilledCgroupTests {
    @Test(.enabled(if: getuid() == 0 && OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
    func `starts every program exactly, also from a cgroup that was once killed`() async {
        await #expect(processExitsWith: .success) {
            let killed = try TemporaryCgroup()
            guard let own = OwnCgroups.directory() else { fail("no cgroup v2") }
            try killed.part.directory.write("1", to: "cgroup.kill")
            try killed.part.directory.write("0", to: "cgroup.procs")
            defer { try? CgroupDirectory(own).write("0", to: "cgroup.procs") }
            let cgroups = Cgroups()
            if let refusal = cgroups.refusal { fail("\(refusal)") }
            for number in 0..<100 {
                guard let group = try cgroups.make(container: "c", exec: "e\(number)") else {
                    fail("no group")
                }
                let code = Int32(number % 100)
                let held = try group.start(sh("exit \(code)"))
                while true {
                    if let end = try held.child.collect() {
                        if end.code != code { fail("start \(number): \(end)") }
                        break
                    }
                    sched_yield()
                }
                group.remove()
            }
            cgroups.close()
        }
    }

    @Test(.enabled(if: getuid() == 0 && OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
    func `starts a program in a group that was itself killed`() async throws {
        let group = try TemporaryCgroup()
        let cgroup = group.cgroup
        #expect(try cgroup.kill())
        #expect(cgroup.killsNewborns)
        let held = try cgroup.start(sh("exit 7"))
        #expect(try await withLoop { try await $0.end(of: held) }.code == 7)
    }

    @Test(.enabled(if: getuid() == 0 && OwnCgroups.hasV1, "\(OwnCgroups.noV1)"))
    func `survives a child that exceeds the memory limit of its cgroup on its way`() async {
        await #expect(processExitsWith: .success) {
            let memory = try TemporaryCgroup("memory")
            try memory.part.directory.write("262144", to: "memory.limit_in_bytes")
            let cgroup = Cgroup(unified: nil, v1: [memory.part])
            // Its arguments alone are more than the limit: they are copied before the program runs.
            var request = SpawnRequest(argv: ["/bin/true"])
            request.environment = (0..<30).map {
                "V\($0)=" + String(repeating: "x", count: 100_000)
            }
            request.hasMemoryLimit = true
            do throws(SpawnFailure) {
                let null = try? Files.open("/dev/null", .readWriteCreate(permissions: 0))
                guard let null else { fail("no /dev/null") }
                let child = try Spawn.start(
                    request,
                    stdin: null,
                    stdout: null,
                    stderr: null,
                    cgroup: cgroup
                )
                while (try? child.collect()) == nil { sched_yield() }
            } catch {
                // It may also be refused: what counts is that this process is here to tell.
            }
        }
    }
}
