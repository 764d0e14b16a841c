import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

@Suite("Limits", .serialized, .timeLimit(.minutes(1)))
struct LimitTests {
    /// Whether this machine lets us have cgroups with limits.
    static let canBeHad: Bool = {
        let cgroups = Cgroups()
        defer { cgroups.close() }
        let limits = CgroupLimits(memoryBytesMax: 1 << 30, pidsMax: 100, cpuMillis: 1_000)
        guard let group = try? cgroups.make(container: "a", exec: "b", limits: limits) else {
            return false
        }
        return group.remove()
    }()

    @Test("of open files hold, and others than those asked for stay as they were")
    func openFiles() async throws {
        try await Service.run { service in
            let limited = try service.run(["sh", "-c", "ulimit -n; ulimit -Hn"], as: "a") {
                $0.limits.openFilesMax = 77
            }
            #expect(limited.text(.stdout) == "77\n77\n")
        }
        try await Service.run(options: { $0.processes.openFilesMax = 555 }) { service in
            let said = try service.run(["sh", "-c", "ulimit -n"])
            #expect(said.text(.stdout) == "555\n")
        }
    }

    @Test("of processes hold", .enabled(if: canBeHad, "no cgroup with limits can be made here"))
    func processes() async throws {
        try await Service.run { service in
            let script = "for i in 1 2 3 4 5 6; do sleep 60 & echo $i; done; kill $(jobs -p)"
            let said = try service.run(["sh", "-c", script]) { $0.limits.pidsMax = 4 }
            #expect(said.text(.stdout) == "1\n2\n3\n")
            #expect(said.text(.stderr).contains("fork"))
        }
    }

    @Test(
        "of memory may be more together than a number holds",
        .enabled(if: canBeHad, "no cgroup with limits can be made here")
    )
    func hugeMemory() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let ids = (1...5).map { UInt32($0 * 2 + 1) }
            for id in ids {
                var command = Command(["sleep", "60"])
                command.limits.memoryBytesMax = 1 << 62 - 4096
                try client.start(
                    Start(containerID: "c", execID: "e\(id)", command: command),
                    id: id
                )
                _ = try client.ready(id)
            }
            let request = ContainerStatusRequest(containerID: "c", includeResourceUsage: true)
            let answer = try client.call(.containerStatus, request, id: 101)
            let usage = try decode(ContainerStatus.self, answer.payload).resourceUsage
            #expect(usage?.memoryLimitBytes == .max)
        }
    }

    @Test(
        "of memory kill what passes them, and the exit says so",
        .enabled(if: canBeHad, "no cgroup with limits can be made here")
    )
    func memory() async throws {
        try await Service.run { service in
            let said = try service.run(["python3", "-c", "x = bytearray(300 << 20)"]) {
                $0.limits.memoryBytesMax = 64 << 20
            }
            let exit = try #require(said.exit)
            #expect((exit.code, exit.signal) == (137, SIGKILL))
            #expect((exit.reason, exit.cause) == (.signal, .limit))
            #expect(exit.message == "the kernel killed it: it passed its limit of memory")
        }
    }

    @Test(
        "of processor time hold",
        .enabled(if: canBeHad, "no cgroup with limits can be made here")
    )
    func processor() async throws {
        try await Service.run { service in
            let script = "import time\nend = time.time() + 1.5\nwhile time.time() < end: pass"
            let said = try service.run(["python3", "-c", script]) { $0.limits.cpuMillis = 200 }
            let usage = try #require(said.exit?.usage)
            #expect(usage.userUS + usage.systemUS < 700_000)
        }
    }

    @Test("that can't be had are refused, and no exec is left of that")
    func refused() async throws {
        try await Service.run(.traces) { service in
            let said = try service.run(["true"]) { $0.limits.memoryBytesMax = 1 << 30 }
            #expect(said.failure?.code == .failedPrecondition)
            #expect(said.failure?.message.contains("need a cgroup") == true)
            #expect(service.registry.instances().isEmpty)
        }
    }
}
