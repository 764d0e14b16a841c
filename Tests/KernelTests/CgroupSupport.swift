internal import Glibc
internal import Testing

@testable internal import Kernel

extension ServerMark {
    /// A process that there may be or not.
    static func of(_ pid: Int32) -> ServerMark {
        ServerMark(pid: pid, startTicks: 0, namespace: 0)
    }
}

/// Where the tests may make groups on this machine.
enum OwnCgroups {
    /// Why tests are skipped.
    static let none = "no writable cgroup v2 here"
    static let noV1 = "no writable memory and pids cgroups (v1) here"

    /// Our own group's directory in the unified hierarchy (nil) or that of a v1 controller, if groups
    /// can be made there.
    static func directory(_ controller: String? = nil) -> String? {
        guard let mountinfo = try? text(of: "/proc/self/mountinfo"),
            let cgroup = try? text(of: "/proc/self/cgroup")
        else { return nil }
        let found = CgroupMounts.hierarchies(mountinfo: mountinfo, cgroup: cgroup).filter {
            controller.map($0.controllers.contains) ?? $0.isUnified
        }
        return found.map(\.directory).first { directory in
            let probe = "\(directory)/kernel-tests-probe-\(getpid())-\(pthread_self())"
            return mkdir(probe, 0o755) == 0 && rmdir(probe) == 0
        }
    }

    static let hasUnified = directory() != nil
    /// A controller that our own group of the unified hierarchy hands down.
    static let handedDown = directory().flatMap {
        (try? CgroupDirectory($0).words(in: UnifiedControllers.file))?.first
    }
    static let hasV1 = directory("memory") != nil && directory("pids") != nil
}

/// A group's directory that is removed with this; what is in it must have ended.
final class TemporaryCgroup: Sendable {
    let path: String
    let part: Cgroup.Part

    /// In our own group of the unified hierarchy (nil) or of a v1 controller.
    init(_ controller: String? = nil) throws {
        guard let own = OwnCgroups.directory(controller) else { throw Errno.notFound }
        let name = randomBytes(6).map { String($0, radix: 16) }.joined()
        path = "\(own)/kernel-tests-\(name)"
        if mkdir(path, 0o755) < 0 { throw Errno(errno) }
        part = Cgroup.Part(
            directory: try CgroupDirectory(path),
            base: try CgroupDirectory(own),
            container: ".",
            name: "kernel-tests-\(name)",
        )
    }

    deinit {
        rmdir(path)
    }

    var cgroup: Cgroup { Cgroup(unified: part) }

    /// The path as /proc/PID/cgroup ends with it.
    var name: String { String(path.dropFirst(Files.parent(of: path)?.count ?? 0)) }
}

/// What stands in for a hierarchy of cgroup v2 with all controllers: plain files in a directory, since
/// few machines have such a hierarchy to play with. It keeps what was written, and does nothing.
final class FakeHierarchy: Sendable {
    let directory: TemporaryDirectory
    let hierarchy: CgroupHierarchy

    init(controllers: String = "cpuset cpu io memory pids") throws {
        directory = try TemporaryDirectory()
        hierarchy = CgroupHierarchy(controllers: [], directory: directory.path)
        FakeHierarchy.populate(directory.path)
        try write(controllers, to: "cgroup.controllers")
    }

    func cgroups(_ others: CgroupHierarchy...) -> Cgroups {
        Cgroups(
            hierarchies: [hierarchy] + others,
            mark: .of(4711),
            populate: FakeHierarchy.populate
        )
    }

    func text(of file: String) throws -> String {
        let bytes = try Files.readSmall("\(directory.path)/\(file)", max: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }

    func write(_ text: String, to file: String) throws {
        try Files.writeAtomically("\(directory.path)/\(file)", Array(text.utf8))
    }

    /// What the kernel puts into a new group.
    private static let populate: @Sendable (String) -> Void = { path in
        let files = [
            "cgroup.procs", "cgroup.controllers", "cgroup.subtree_control", "cgroup.events",
            "cgroup.freeze", "memory.max", "memory.swap.max", "pids.max", "cpu.max",
        ]
        for file in files {
            do throws(Errno) {
                try Files.writeAtomically("\(path)/\(file)", [])
            } catch {
                preconditionFailure("\(path)/\(file): \(error)")
            }
        }
    }
}

/// A cgroup that closures may share, with a way to start programs in it.
extension Cgroup {
    func start(_ request: SpawnRequest) throws -> HeldChild {
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        return HeldChild(
            try Spawn.start(request, stdin: null, stdout: null, stderr: null, cgroup: self)
        )
    }

    /// Starts a script, and waits for its first line.
    func started(_ script: String) throws -> HeldChild {
        let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
        var output = try Pipe.make()
        let held = HeldChild(
            try Spawn.start(
                sh(script),
                stdin: null,
                stdout: output.takeWriteEnd(),
                stderr: null,
                cgroup: self
            )
        )
        #expect(try output.takeReadEnd().readText()?.isEmpty == false)
        return held
    }

    /// Waits until its state is as `isReached` wants it.
    func state(
        on loop: EventLoop,
        _ isReached: @escaping @Sendable (CgroupState) -> Bool,
    ) async throws -> CgroupState {
        try await loop.finish { done in
            var watch: CgroupWatch?
            let told: (CgroupState) -> Void = { state in
                guard isReached(state) else { return }
                watch?.cancel()
                watch = nil
                done(state)
            }
            watch = try CgroupWatch(self, on: loop, handler: told)
            if let watch { told(watch.state) }
        }
    }
}
