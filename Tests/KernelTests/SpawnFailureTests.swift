internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct SpawnFailureTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func failure(
        _ request: SpawnRequest,
        _ method: SpawnMethod = .automatic,
    ) throws -> SpawnFailure {
        try #require(throws: SpawnFailure.self) { _ = try start(request, method: method) }
    }

    @Test(arguments: methods) func `is 127 where there is no such program`(
        method: SpawnMethod,
    ) throws {
        let searched = try failure(SpawnRequest(argv: ["no-such-program"]), method)
        #expect(searched.step == .execute)
        #expect(searched.errno == .notFound)
        #expect(searched.exitCode == 127)
        #expect(searched.message == "cannot run 'no-such-program': not found in PATH")
        let path = "\(directory.path)/none"
        let named = try failure(SpawnRequest(argv: [path]), method)
        #expect(named.errno == .notFound)
        #expect(named.exitCode == 127)
        #expect(named.message == "cannot run '\(path)': not found")
        #expect(try failure(SpawnRequest(argv: [""]), method).exitCode == 127)
        // A part of PATH that is no directory holds no program.
        let file = try directory.file("f")
        let odd = SpawnRequest(argv: ["no-such-program"], environment: ["PATH=\(file)"])
        #expect(try failure(odd, method).exitCode == 127)
    }

    @Test(arguments: methods) func `is 126 where the program cannot run`(
        method: SpawnMethod,
    ) throws {
        let plain = try directory.file("plain", "#!/bin/sh\n", permissions: 0o600)
        let interpreted = try directory.file("script", "#!/no/such/shell\n", permissions: 0o700)
        let nonsense = try directory.file("nonsense", "nonsense", permissions: 0o700)
        for (path, errno, reason) in [
            (plain, Errno.accessDenied, "Permission denied (EACCES)"),
            (directory.path, .accessDenied, "it is a directory"),
            (interpreted, .notFound, "its interpreter was not found"),
            (nonsense, .notExecutableFormat, "not a program this machine can run (ENOEXEC)"),
            ("\(plain)/below", .notDirectory, "Not a directory (ENOTDIR)"),
        ] {
            let failure = try failure(SpawnRequest(argv: [path]), method)
            #expect(failure.step == .execute)
            #expect(failure.errno == errno)
            #expect(failure.exitCode == 126)
            #expect(failure.message == "cannot run '\(path)': \(reason)")
        }
    }

    @Test func `looks on in PATH past what cannot run, and remembers it`() async throws {
        let (one, two) = ("\(directory.path)/one", "\(directory.path)/two")
        for path in [one, two] { try Files.makeDirectories(path, permissions: 0o700) }
        try Files.writeAtomically("\(one)/tool", Array("#!/bin/sh\n".utf8), permissions: 0o600)
        let path = "PATH=/none:\(one):\(two)"
        let request = SpawnRequest(argv: ["tool"], environment: [path])
        let denied = try failure(request)
        #expect(denied.errno == .accessDenied)
        #expect(denied.exitCode == 126)
        try Files.writeAtomically(
            "\(two)/tool",
            Array("#!/bin/sh\necho two".utf8),
            permissions: 0o700
        )
        #expect(try await outcome(of: request).stdout == "two\n")
        try Files.remove("\(two)/tool")
        try Files.writeAtomically("\(one)/tool", Array("#!/none\n".utf8), permissions: 0o700)
        let interpreted = try failure(request)
        #expect(interpreted.exitCode == 126)
        #expect(interpreted.message.hasSuffix("its interpreter was not found"))
    }

    @Test(arguments: methods) func `is 126 where the directory cannot be entered`(
        method: SpawnMethod,
    ) throws {
        let file = try directory.file("f")
        for (path, errno) in [("/no/such/place", Errno.notFound), (file, .notDirectory)] {
            let request = SpawnRequest(argv: ["true"], workingDirectory: path)
            let failure = try failure(request, method)
            #expect(failure.step == .directory)
            #expect(failure.errno == errno)
            #expect(failure.exitCode == 126)
            #expect(
                failure.message
                    == "cannot start 'true': cannot enter the directory '\(path)': \(errno)"
            )
        }
    }

    @Test func `is 126 where a limit cannot be had`() throws {
        var request = SpawnRequest(argv: ["true"])
        request.resourceLimits = [ResourceLimit(resource: 9999, soft: 1, hard: 1)]
        let limit = try failure(request)
        #expect(limit.step == .limits)
        #expect(limit.errno == .invalid)
        #expect(limit.exitCode == 126)
    }

    @Test(arguments: [
        (SpawnRequest(argv: []), "there is no program to run"),
        (SpawnRequest(argv: ["a\0b"]), "the program's name contains a NUL byte"),
        (SpawnRequest(argv: ["a", "b", "\0"]), "argument 2 contains a NUL byte"),
        (
            SpawnRequest(argv: ["a"], environment: ["A=1", "B=\0"]),
            "the environment variable 'B' contains a NUL byte"
        ),
        (
            SpawnRequest(argv: ["a"], workingDirectory: "/\0"),
            "the working directory contains a NUL byte"
        ),
        (
            SpawnRequest(argv: ["a"], user: UserIDs(uid: .max, gid: 1)),
            "no user or group has the number 4294967295"
        ),
    ])
    func `refuses what no system call could carry`(request: SpawnRequest, problem: String) throws {
        let failure = try failure(request)
        #expect(failure.step == .argument)
        #expect(failure.exitCode == 126)
        #expect(failure.message == "cannot start: \(problem)")
    }

    @Test func `leaves no process and no descriptor behind`() async {
        await #expect(processExitsWith: .success) {
            let before = try openDescriptors()
            for method in methods {
                for _ in 0..<20 {
                    _ = try? start(SpawnRequest(argv: ["no-such-program"]), method: method)
                    _ = try? start(
                        SpawnRequest(argv: ["true"], workingDirectory: "/none"),
                        method: method
                    )
                }
            }
            if hasChildren() { fail("a child is left") }
            let left = try openDescriptors().subtracting(before)
            if !left.isEmpty { fail("left open: \(left)") }
        }
    }

    @Test func `finds its candidates as a shell would`() {
        func candidates(_ program: String, _ path: String?) -> [String] {
            let environment = path.map { ["X=1", "PATH=\($0)"] } ?? []
            return SpawnRequest(argv: [program], environment: environment).candidates
        }
        #expect(candidates("a/b", "/x") == ["a/b"])
        #expect(candidates("a", "/x:/y") == ["/x/a", "/y/a"])
        #expect(candidates("a", ":/y:") == ["./a", "/y/a", "./a"])
        #expect(candidates("a", "") == ["./a"])
        #expect(candidates("", "/x") == [])
        #expect(candidates("a", nil).first == "/usr/local/sbin/a")
        #expect(candidates("a", nil).count == 6)
    }
}
