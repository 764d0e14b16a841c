internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite struct PrivateFileTests {
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
    }

    @Test func `is refused where it is no file or not there`() throws {
        let directory = try TemporaryDirectory()
        for path in [directory.path, "\(directory.path)/none"] {
            #expect(throws: PrivateFileError.self) { try Files.readPrivate(path, max: 100) }
        }
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
