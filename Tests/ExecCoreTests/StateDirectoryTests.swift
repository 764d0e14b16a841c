import ExecModel
import Glibc
import Kernel
import Testing

@testable import ExecCore

@Suite("The state directory", .timeLimit(.minutes(1)))
struct StateDirectoryTests {
    private func failure(of path: String) -> ExecError? {
        do throws(ExecError) {
            _ = try StateDirectory(path)
            return nil
        } catch {
            return error
        }
    }

    @Test("is made for its user alone, and is one server's at a time")
    func making() throws {
        try withDirectory { directory in
            let path = "\(directory)/a/state"
            let state = try StateDirectory(path)
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o700)
            #expect(failure(of: path)?.message.contains("another server uses") == true)
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: path),
                in: state
            )
            try registry.register(try ExecKey(container: "c", exec: "e")).stdout.write("text")
            #expect(Files.exists("\(path)/execs/c/e/stdout"))
        }
    }

    @Test("is taken over from a server that has ended, though what it left has taken its lock")
    func lockOfLeftover() throws {
        try withDirectory { directory in
            let path = "\(directory)/state"
            try Files.makeDirectories(path, permissions: 0o700)
            let file = "\(path)/lock"
            // No process has this number.
            try Files.writeAtomically(file, Array("\(Int32.max).1.\(Self.namespace)\n".utf8))
            let holder = open(file, O_RDONLY)
            #expect(flock(holder, LOCK_EX) == 0)
            var isAsked = false
            let state = try StateDirectory(path) {
                isAsked = true
                close(holder)
            }
            #expect(isAsked && state.path == path)
            #expect(failure(of: path)?.message.contains("another server uses") == true)
        }
    }

    @Test("is not taken over where a lock is held that nobody lets go of, and says who does")
    func lockIsKept() throws {
        try withDirectory { directory in
            let path = "\(directory)/state"
            try Files.makeDirectories(path, permissions: 0o700)
            let file = "\(path)/lock"
            try Files.writeAtomically(file, Array("\(Int32.max).1.\(Self.namespace)\n".utf8))
            let holder = open(file, O_RDONLY)
            defer { close(holder) }
            #expect(flock(holder, LOCK_EX) == 0)
            #expect(failure(of: path)?.message.contains("/proc/locks") == true)
        }
    }

    private static var namespace: UInt64 {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : 0
    }

    @Test("is refused where others may write in it, or it is another user's")
    func foreign() throws {
        try withDirectory { directory in
            let path = "\(directory)/state"
            try Files.makeDirectories(path, permissions: 0o700)
            #expect(chmod(path, 0o777) == 0)
            let refusal = failure(of: path)
            #expect(refusal?.code == .failedPrecondition)
            #expect(refusal?.message.contains("run chmod 700 \(path)") == true)
            guard geteuid() == 0 else { return }
            #expect(chmod(path, 0o700) == 0 && chown(path, 65534, 0) == 0)
            #expect(failure(of: path)?.message.contains("uid 65534") == true)
        }
    }

    @Test(
        "is refused where its lock or its place for logs leads elsewhere",
        arguments: ["lock", "execs"]
    )
    func links(name: String) throws {
        try withDirectory { directory in
            let (path, victim) = ("\(directory)/state", "\(directory)/victim")
            try Files.makeDirectories(path, permissions: 0o700)
            try Files.makeDirectories(victim, permissions: 0o700)
            try Files.writeAtomically("\(victim)/f", Array("precious".utf8))
            #expect(symlink(name == "lock" ? "\(victim)/f" : victim, "\(path)/\(name)") == 0)
            let refusal = failure(of: path)?.message ?? ""
            #expect(refusal.contains("\(path)/\(name)"), "\(refusal)")
            #expect(try Files.readSmall("\(victim)/f", max: 99) == Array("precious".utf8))
        }
    }

    @Test("keeps what starts, ends and recovers in it to itself, whatever links lie there")
    func planted() throws {
        try withDirectory { directory in
            let (path, victim) = ("\(directory)/state", "\(directory)/victim")
            try Files.makeDirectories("\(path)/execs/c", permissions: 0o700)
            try Files.makeDirectories("\(victim)/e", permissions: 0o700)
            for name in ["stdout", "stderr", "index", "trimmed"] {
                try Files.writeAtomically("\(victim)/e/\(name)", Array("precious".utf8))
            }
            // A container, an exec, a removed one, and the files of one that lead out.
            #expect(symlink(victim, "\(path)/execs/linked") == 0)
            #expect(symlink("\(victim)/e", "\(path)/execs/c/linked") == 0)
            #expect(symlink(victim, "\(path)/execs/.removed-1-1") == 0)
            try Files.makeDirectories("\(path)/execs/c/files", permissions: 0o700)
            for name in ["stdout", "stderr", "index", "trimmed"] {
                #expect(symlink("\(victim)/e/\(name)", "\(path)/execs/c/files/\(name)") == 0)
            }
            var configuration = RegistryConfiguration(stateDirectory: path)
            configuration.retention = .zero
            let registry = ExecSessionRegistry(configuration: configuration, clocks: FakeClocks())
            let leftovers = registry.adoptLeftovers()
            #expect(leftovers.adopted == 0)
            #expect(
                Set(leftovers.unreadable.map(\.path)) == [
                    "\(path)/execs/linked", "\(path)/execs/c/linked", "\(path)/execs/c/files",
                ]
            )
            // New execs in their places.
            for (container, exec) in [("linked", "e"), ("c", "linked"), ("c", "files")] {
                let key = try ExecKey(container: container, exec: exec)
                guard let instance = try? registry.register(key) else { continue }
                try instance.stdout.write("new")
                instance.finish(code: 0)
                try registry.unregister(key)
            }
            #expect(try Files.list(victim) == ["e"])
            #expect(try Files.list("\(victim)/e").count == 4)
            for name in ["stdout", "stderr", "index", "trimmed"] {
                let bytes = try Files.readSmall("\(victim)/e/\(name)", max: 99)
                #expect(bytes == Array("precious".utf8))
            }
        }
    }

    @Test("is left alone by a server that has it open, when another takes its name")
    func replaced() throws {
        try withDirectory { directory in
            let path = "\(directory)/state"
            let state = try StateDirectory(path)
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: path),
                in: state
            )
            let victim = "\(directory)/victim"
            try Files.makeDirectories("\(victim)/execs/c/e", permissions: 0o700)
            try Files.writeAtomically("\(victim)/execs/c/e/stdout", Array("precious".utf8))
            try Files.rename(path, to: "\(directory)/moved")
            #expect(symlink(victim, path) == 0)
            let key = try ExecKey(container: "c", exec: "e")
            let instance = try registry.register(key)
            try instance.stdout.write("new")
            #expect(Files.exists("\(directory)/moved/execs/c/e/stdout"))
            instance.finish(code: 0)
            try registry.unregister(key)
            #expect(!Files.exists("\(directory)/moved/execs/c/e"))
            let bytes = try Files.readSmall("\(victim)/execs/c/e/stdout", max: 99)
            #expect(bytes == Array("precious".utf8))
        }
    }
}
