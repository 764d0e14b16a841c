internal import Glibc

@testable internal import Kernel

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
    static let hasV1 = directory("memory") != nil && directory("pids") != nil
}

/// A group's directory that is removed with this; what is in it must have ended.
final class TemporaryCgroup: Sendable {
    let path: String
    let directory: CgroupDirectory

    /// In our own group of the unified hierarchy (nil) or of a v1 controller.
    init(_ controller: String? = nil) throws {
        guard let own = OwnCgroups.directory(controller) else { throw Errno.notFound }
        let name = randomBytes(6).map { String($0, radix: 16) }.joined()
        path = "\(own)/kernel-tests-\(name)"
        if mkdir(path, 0o755) < 0 { throw Errno(errno) }
        directory = try CgroupDirectory(path)
    }

    deinit {
        rmdir(path)
    }

    /// The path as /proc/PID/cgroup ends with it.
    var name: String { String(path.dropFirst(Files.parent(of: path)?.count ?? 0)) }
}
