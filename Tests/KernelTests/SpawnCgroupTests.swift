internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct SpawnCgroupTests {
    /// What a program that is started into the group says, asked at once.
    private func output(
        _ script: String,
        in cgroup: Cgroup,
        user: UserIDs? = nil,
        method: SpawnMethod,
    ) async throws -> String {
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        var output = try Pipe.make()
        var request = sh(script)
        request.user = user
        let held = HeldChild(
            try Spawn.start(
                request,
                stdin: null,
                stdout: output.takeWriteEnd(),
                stderr: null,
                cgroup: cgroup,
                method: method
            )
        )
        let text = try output.takeReadEnd().readToEnd()
        let end = try await withLoop { try await $0.end(of: held) }
        #expect(end.code == 0)
        return text
    }

    @Test(.enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"), arguments: methods)
    func `starts a program inside its cgroup`(method: SpawnMethod) async throws {
        let group = try TemporaryCgroup()
        let cgroup = group.cgroup
        let seen = try await output(
            "cat /proc/self/cgroup; ls /proc/self/fd",
            in: cgroup,
            method: method
        )
        let lines = seen.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("0::") && $0.hasSuffix(group.name) })
        // 3 is what ls reads the directory with.
        #expect(lines.suffix(4) == ["0", "1", "2", "3"])
    }

    @Test(.enabled(if: OwnCgroups.hasV1, "\(OwnCgroups.noV1)"), arguments: methods)
    func `enters groups of cgroup v1, also for another user`(method: SpawnMethod) async throws {
        let memory = try TemporaryCgroup("memory")
        let pids = try TemporaryCgroup("pids")
        let cgroup = Cgroup(unified: nil, v1: [memory.part, pids.part])
        for user in [nil, UserIDs(uid: 4711, gid: 4711)] where user == nil || getuid() == 0 {
            let seen = try await output(
                "cat /proc/self/cgroup; id -u",
                in: cgroup,
                user: user,
                method: method
            )
            let lines = seen.split(separator: "\n")
            for (controller, group) in [("memory", memory), ("pids", pids)] {
                #expect(
                    lines.contains { $0.contains(":\(controller):") && $0.hasSuffix(group.name) }
                )
            }
            #expect(lines.last == "\(user?.uid ?? getuid())")
        }
    }

    @Test(.enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"), arguments: methods)
    func `says so where the cgroup is gone, and leaves nothing`(method: SpawnMethod) async throws {
        let group = try TemporaryCgroup()
        let cgroup = group.cgroup
        #expect(rmdir(group.path) == 0)
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        let failure = try #require(throws: SpawnFailure.self) {
            _ = try Spawn.start(
                SpawnRequest(argv: ["true"]),
                stdin: null,
                stdout: null,
                stderr: null,
                cgroup: cgroup,
                method: method
            )
        }
        #expect(failure.step == .cgroup)
        #expect(failure.exitCode == 126)
        #expect(
            failure.message.hasPrefix("cannot start 'true': its cgroup could not be entered: ")
        )
    }

    @Test(.enabled(if: OwnCgroups.hasUnified, "\(OwnCgroups.none)"))
    func `still tells why a program in a cgroup did not run`() async throws {
        let group = try TemporaryCgroup()
        let cgroup = group.cgroup
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        let failure = try #require(throws: SpawnFailure.self) {
            _ = try Spawn.start(
                SpawnRequest(argv: ["no-such-program"]),
                stdin: null,
                stdout: null,
                stderr: null,
                cgroup: cgroup
            )
        }
        #expect(failure.exitCode == 127)
        // Collected, so nothing keeps the group.
        #expect(rmdir(group.path) == 0)
    }
}
