internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct DirectoryTests {
    let temporary: TemporaryDirectory
    private static let stranger: uid_t = 65534

    init() throws {
        temporary = try TemporaryDirectory()
    }

    private func problem(of path: String) -> String? {
        do throws(PrivateFileError) {
            _ = try Directory.openPrivate(path, making: 0o700)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `is made where it is missing, and opened where it is there`() throws {
        let path = "\(temporary.path)/a/b//c/"
        #expect(problem(of: path) == nil)
        let again = try Directory.openPrivate("\(temporary.path)/a/./b/../b/c", making: 0o700)
        _ = try again.open("f", .createNew(permissions: 0o600))
        #expect(Files.exists("\(temporary.path)/a/b/c/f"))
        #expect(problem(of: try temporary.file("f")) == "\(Errno.notDirectory)")
        #expect(problem(of: "\(temporary.path)/a\0b") != nil)
    }

    @Test(arguments: [0o777, 0o1777, 0o702, 0o720] as [mode_t])
    func `is refused where others may write in it`(mode: mode_t) throws {
        let path = "\(temporary.path)/d"
        try Files.makeDirectories(path, permissions: 0o700)
        #expect(chmod(path, mode) == 0)
        let refusal = problem(of: path) ?? ""
        #expect(refusal.contains("others may write") && refusal.contains("chmod 700 \(path)"))
    }

    @Test(arguments: [(0o777, true), (0o1777, false), (0o755, false)] as [(mode_t, Bool)])
    func `is refused below one where others may put another in its place`(
        mode: mode_t,
        isRefused: Bool,
    ) throws {
        let above = "\(temporary.path)/above"
        try Files.makeDirectories("\(above)/d", permissions: 0o700)
        #expect(chmod(above, mode) == 0)
        let refusal = problem(of: "\(above)/d")
        #expect((refusal != nil) == isRefused)
        if isRefused { #expect(refusal?.contains("chmod go-w \(above)") == true) }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a directory away"))
    func `is refused where it or one above it is another user's`() throws {
        let path = "\(temporary.path)/above/d"
        try Files.makeDirectories(path, permissions: 0o700)
        #expect(chown(path, Self.stranger, 0) == 0)
        #expect(problem(of: path)?.contains("uid \(Self.stranger)") == true)
        #expect(chown(path, 0, 0) == 0)
        #expect(problem(of: path) == nil)
        #expect(chown("\(temporary.path)/above", Self.stranger, 0) == 0)
        #expect(problem(of: path)?.contains("\(temporary.path)/above above it") == true)
        #expect(problem(of: path)?.contains("uid \(Self.stranger)") == true)
    }

    @Test func `is found over a link of this user's, and over no other`() throws {
        let path = "\(temporary.path)/d"
        try Files.makeDirectories("\(path)/inner", permissions: 0o700)
        let (absolute, relative) = ("\(temporary.path)/absolute", "\(temporary.path)/relative")
        #expect(symlink(path, absolute) == 0 && symlink("d", relative) == 0)
        #expect(problem(of: "\(absolute)/inner") == nil && problem(of: relative) == nil)
        let loop = "\(temporary.path)/loop"
        #expect(symlink("loop", loop) == 0)
        #expect(problem(of: loop) == "\(Errno.linkLoop)")
        guard geteuid() == 0 else { return }
        #expect(lchown(absolute, Self.stranger, 0) == 0)
        #expect(problem(of: "\(absolute)/inner")?.contains("symbolic link of another user") == true)
    }

    /// What somebody may have put into the place of a file, and what it does.
    private static let planted: [(String, @Sendable (_ path: String, _ victim: String) -> Int32)] =
        [
            ("a symbolic link", { symlink($1, $0) }),
            ("a link that leads nowhere", { path, _ in symlink("/nonexistent/file", path) }),
            ("a FIFO", { path, _ in mkfifo(path, 0o600) }),
            ("another name of a file", { link($1, $0) }),
            ("a directory", { path, _ in mkdir(path, 0o700) }),
        ]

    @Test(arguments: planted.indices)
    func `opens no file but a regular one of its user's`(kind: Int) throws {
        let victim = try temporary.file("victim", "precious")
        let directory = try Directory.openPrivate("\(temporary.path)/d", making: 0o700)
        #expect(Self.planted[kind].1("\(temporary.path)/d/f", victim) == 0)
        let modes: [FileMode] = [
            .readOnly, .readWrite, .readWriteCreate(permissions: 0o600),
            .readWriteTruncate(permissions: 0o600), .append(permissions: 0o600),
        ]
        for mode in modes {
            #expect(throws: Errno.self, "\(Self.planted[kind].0), \(mode)") {
                _ = try directory.open("f", mode)
            }
        }
        #expect(try text(of: victim) == "precious")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file away"))
    func `opens neither files nor directories of another user's`() throws {
        let directory = try Directory.openPrivate("\(temporary.path)/d", making: 0o700)
        try directory.open("f", .createNew(permissions: 0o600)).write("theirs")
        _ = try directory.makeDirectory("e", permissions: 0o700)
        for name in ["f", "e"] {
            #expect(chown("\(temporary.path)/d/\(name)", Self.stranger, 0) == 0)
        }
        #expect(throws: Errno.notPermitted) {
            _ = try directory.open("f", .readWriteTruncate(permissions: 0o600))
        }
        #expect(try text(of: "\(temporary.path)/d/f") == "theirs")
        #expect(throws: Errno.notPermitted) { _ = try directory.directory("e") }
        #expect(throws: Errno.notPermitted) {
            _ = try directory.makeDirectory("e", permissions: 0o700)
        }
    }

    @Test func `reaches nothing outside of it by a name`() throws {
        let outside = try TemporaryDirectory()
        _ = try outside.file("precious")
        let directory = try Directory.openPrivate("\(temporary.path)/d", making: 0o700)
        #expect(symlink(outside.path, "\(temporary.path)/d/link") == 0)
        #expect(throws: Errno.notDirectory) { _ = try directory.directory("link") }
        #expect(throws: Errno.notDirectory) {
            _ = try directory.makeDirectory("link", permissions: 0o700)
        }
        for name in ["", ".", "..", "../d", "a/b", "/etc", "a\0b"] {
            #expect(throws: Errno.invalid) { _ = try directory.open(name, .readOnly) }
            #expect(throws: Errno.invalid) { _ = try directory.directory(name) }
            #expect(throws: Errno.invalid) { try directory.removeTree(name) }
            #expect(throws: Errno.invalid) { try directory.rename(name, to: directory, as: "x") }
            #expect(throws: Errno.invalid) { try directory.rename("x", to: directory, as: name) }
        }
        #expect(directory.has("link") && !directory.has("none"))
        try directory.removeTree("link")
        #expect(try directory.list().isEmpty)
        #expect(Files.exists("\(outside.path)/precious"))
    }
}
