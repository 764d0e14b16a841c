internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct FilesTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func `makes directories where they are missing`() throws {
        let deep = "\(directory.path)/a/b//c/"
        try Files.makeDirectories(deep, permissions: 0o700)
        try Files.makeDirectories(deep, permissions: 0o700)
        #expect(Files.isDirectory(deep))
        #expect(permissions("\(directory.path)/a/b") == 0o700)
        let file = try directory.file("f")
        #expect(throws: Errno.notDirectory) { try Files.makeDirectories(file, permissions: 0o700) }
        #expect(throws: Errno.notDirectory) {
            try Files.makeDirectories("\(file)/below", permissions: 0o700)
        }
    }

    @Test(arguments: [
        ("/a/b", "/a"), ("/a", "/"), ("/a/", "/"), ("a/b//c/", "a/b"), ("a", "."), ("/", nil),
        ("", nil),
    ])
    func `finds the directory above`(path: String, parent: String?) {
        #expect(Files.parent(of: path) == parent)
    }

    @Test func `opens what is there, as it is or emptied`() throws {
        let path = "\(directory.path)/f"
        #expect(throws: Errno.notFound) { _ = try Files.open(path, .readWrite) }
        try Files.open(path, .readWriteTruncate(permissions: 0o600)).write("text")
        #expect(try Files.open(path, .readWrite).text(at: 0) == "text")
        #expect(try Files.open(path, .readWriteTruncate(permissions: 0o600)).text(at: 0) == "")
    }

    @Test func `lists names without the two that are always there`() throws {
        _ = try directory.file("b")
        _ = try directory.file(".hidden")
        #expect(try Files.list(directory.path).sorted() == [".hidden", "b"])
        #expect(throws: Errno.notFound) { try Files.list("\(directory.path)/none") }
    }

    @Test func `removes a tree, and follows no link out of it`() throws {
        let outside = try TemporaryDirectory()
        _ = try outside.file("precious")
        let tree = "\(directory.path)/tree"
        try Files.makeDirectories("\(tree)/a/b", permissions: 0o700)
        try Files.writeAtomically("\(tree)/a/f", [1])
        #expect(symlink(outside.path, "\(tree)/a/link") == 0)
        try Files.removeTree(tree)
        #expect(!Files.exists(tree))
        #expect(Files.exists("\(outside.path)/precious"))
        try Files.removeTree(tree)
        #expect(symlink(outside.path, tree) == 0)
        try Files.removeTree(tree)
        #expect(Files.exists("\(outside.path)/precious"))
    }

    @Test func `replaces a file in one step, and leaves nothing else`() throws {
        let path = try directory.file("f", "old")
        let old = try Files.open(path, .readOnly)
        try Files.writeAtomically(path, Array("newer".utf8), permissions: 0o640)
        #expect(try text(of: path) == "newer")
        #expect(try old.text(at: 0) == "old")
        #expect(permissions(path) == 0o640)
        #expect(try Files.list(directory.path) == ["f"])
        try Files.makeDirectories("\(directory.path)/d", permissions: 0o700)
        #expect(throws: Errno.isDirectory) {
            try Files.writeAtomically("\(directory.path)/d", [1])
        }
        #expect(try Files.list(directory.path).sorted() == ["d", "f"])
    }

    @Test func `reads a small file, and no larger one`() throws {
        let path = try directory.file("f", String(repeating: "x", count: 5000))
        #expect(try Files.readSmall(path, max: 5000).count == 5000)
        #expect(throws: Errno.tooLarge) { try Files.readSmall(path, max: 4999) }
        #expect(try Files.readSmall("/proc/self/stat", max: 4096).isEmpty == false)
    }

    @Test func `opens files as the mode says`() throws {
        let path = try directory.file("f", "12345")
        #expect(throws: Errno.exists) { _ = try Files.open(path, .createNew(permissions: 0o600)) }
        #expect(throws: Errno.notFound) { _ = try Files.open("\(path).none", .readOnly) }
        #expect(try Files.open(path, .readWriteCreate(permissions: 0o600)).size == 5)
        try Files.open(path, .append(permissions: 0o600)).write("6")
        #expect(try text(of: path) == "123456")
        #expect(try Files.open(path, .writeTruncate(permissions: 0o600)).size == 0)
        let file = try Files.open(path, .readOnly)
        #expect(fcntl(file.number, F_GETFD) == FD_CLOEXEC)
        file.close()
    }

    @Test func `locks a file for one at a time`() throws {
        let path = try directory.file("lock")
        let first = try Files.open(path, .readOnly)
        let second = try Files.open(path, .readOnly)
        #expect(try Files.lockExclusively(first))
        #expect(try Files.lockExclusively(first))
        #expect(try !Files.lockExclusively(second))
        first.close()
        // A process that another test is starting may hold a copy of `first` for a moment.
        while try !Files.lockExclusively(second) { sched_yield() }
    }

    @Test func `takes no path that a NUL byte would cut`() throws {
        let path = try directory.file("f")
        #expect(throws: Errno.invalid) { _ = try Files.open("\(path)\0.txt", .readOnly) }
        #expect(throws: Errno.invalid) { try Files.removeTree("\(path)\0.txt") }
        #expect(!Files.exists("\(path)\0.txt"))
        #expect(Files.exists(path))
    }

    @Test func `makes random bytes`() {
        #expect(randomBytes(0).isEmpty)
        #expect(randomBytes(1000).count == 1000)
        #expect(randomBytes(32) != randomBytes(32))
    }

    private func permissions(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }
}
