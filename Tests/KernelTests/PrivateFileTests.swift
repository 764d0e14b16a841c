internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct PrivateFileTests {
    @Test(arguments: [0o600, 0o400, 0o700] as [UInt32])
    func `is read where only its owner may`(mode: UInt32) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, [1, 2], permissions: mode)
        #expect(try Files.readPrivate(path, max: 2) == [1, 2])
        #expect(throws: PrivateFileError.self) { try Files.readPrivate(path, max: 1) }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o644, 0o610] as [UInt32])
    func `is refused where others may read or write it`(mode: UInt32) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, [1, 2])
        #expect(chmod(path, mode) == 0)
        let error = try #require(throws: PrivateFileError.self) {
            try Files.readPrivate(path, max: 100)
        }
        #expect(error.description.contains("mode 0\(String(mode, radix: 8))"))
        #expect(error.description.contains("chmod 600 \(path)"))
    }

    @Test func `is refused where it is no file or not there`() throws {
        let directory = try TemporaryDirectory()
        for path in [directory.path, "\(directory.path)/none"] {
            #expect(throws: PrivateFileError.self) { try Files.readPrivate(path, max: 100) }
        }
    }

    @Test func `is not waited for where it is a FIFO`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        #expect(mkfifo(path, 0o600) == 0)
        let error = try #require(throws: PrivateFileError.self) {
            try Files.readPrivate(path, max: 100)
        }
        #expect(error.description == "it is not a regular file")
    }

    @Test func `is found over links of this user's, and of nobody else's`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, [1, 2])
        let (first, second) = ("\(directory.path)/first", "\(directory.path)/second")
        #expect(symlink(path, first) == 0 && symlink("first", second) == 0)
        #expect(try Files.readPrivate(second, max: 2) == [1, 2])
        guard geteuid() == 0 else { return }
        #expect(lchown(first, 65534, 0) == 0)
        let error = try #require(throws: PrivateFileError.self) {
            try Files.readPrivate(second, max: 2)
        }
        #expect(error.description.contains("symbolic link"))
    }

    @Test(arguments: [
        ("0123456789abcdef", true), (" \t0123456789abcdef\r\n", true),
        (String(repeating: "x", count: 512), true), (String(repeating: "x", count: 513), false),
        ("0123456789abcde", false), ("x", false), ("", false), (" \n", false),
        ("0123456789abcdef 0123456789abcdef", false), ("0123456789abcdef\u{e9}", false),
        ("0123456789\u{7f}abcdef", false), ("0123456789\0abcdefg", false),
    ])
    func `is a token only as one word of 16 to 512 printable characters`(
        text: String,
        isToken: Bool,
    ) throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, Array(text.utf8))
        let token = try? Files.readToken(path)
        #expect((token != nil) == isToken)
        if let token { #expect(text.contains(token) && !token.contains(" ")) }
    }

    @Test func `is no token where it has bytes that are no text`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, [UInt8](repeating: 0xFF, count: 32))
        let error = try #require(throws: PrivateFileError.self) { try Files.readToken(path) }
        #expect(error.description.contains("not printable ASCII"))
    }

    @Test func `takes lines at its end only where they can be meant to go`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/log"
        try Files.openForAppending(path).write("a")
        #expect(symlink("log", "\(directory.path)/link") == 0)
        try Files.openForAppending("\(directory.path)/link").write("b")
        #expect(try text(of: path) == "ab")
        #expect(symlink("none", "\(directory.path)/dangling") == 0)
        #expect(mkfifo("\(directory.path)/fifo", 0o600) == 0)
        #expect(link(path, "\(directory.path)/other") == 0)
        for name in ["dangling", "fifo", "log", "other"] {
            #expect(throws: PrivateFileError.self, "\(name)") {
                _ = try Files.openForAppending("\(directory.path)/\(name)")
            }
        }
        guard geteuid() == 0 else { return }
        #expect(unlink("\(directory.path)/other") == 0)
        #expect(lchown("\(directory.path)/link", 65534, 0) == 0)
        #expect(throws: PrivateFileError.self) {
            _ = try Files.openForAppending("\(directory.path)/link")
        }
        #expect(chown(path, 65534, 0) == 0)
        #expect(throws: PrivateFileError.self) { _ = try Files.openForAppending(path) }
    }

    @Test(
        .enabled(if: geteuid() == 0, "only root can give a file away")
    ) func `is refused where it is another user's`() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/f"
        try Files.writeAtomically(path, [1, 2])
        #expect(chown(path, 12345, 0) == 0)
        let error = try #require(throws: PrivateFileError.self) {
            try Files.readPrivate(path, max: 100)
        }
        #expect(error.description.contains("uid 12345"))
    }

    @Test(arguments: [
        ("tcp:10.0.0.7:51312", "10.0.0.7"), ("tcp:[::1]:5", "::1"),
        ("tcp:[2001:db8:1:2:3:4:5:6]:5", "20010db800010002"),
        ("tcp:[2001:db8:1:2::9]:6", "20010db800010002"),
        ("tcp:[2001:db8:1:3::9]:6", "20010db800010003"),
        ("tcp:[::ffff:10.0.0.7]:6", "::ffff:10.0.0.7"), ("unix:pid=1,uid=2", "unix:pid=1,uid=2"),
        ("nobody", "nobody"),
    ])
    func `tells the network that a peer comes from`(peer: String, network: String) {
        #expect(SocketAddress.network(ofPeer: peer) == network)
    }
}
