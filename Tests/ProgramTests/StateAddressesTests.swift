import Glibc
import Kernel
import Testing

@testable import execstream

@Suite struct StateAddressesTests {
    @Test(
        arguments: [
            ("127.0.0.1", 7001, true), ("127.0.0.1", 7002, false), ("127.0.0.2", 7001, false),
            ("::1", 7001, false), ("::1", 7003, true), ("127.0.0.9", 7004, true),
            ("::1", 7004, false),
            ("::1", 7005, true), ("127.0.0.1", 7005, false), ("0.0.0.0", 7004, false),
            ("192.0.2.1", 7006, false), ("192.0.2.1", 7004, false),
        ] as [(String, UInt16, Bool)]
    )
    func `a state's token is for the loopback addresses its server listens on`(
        host: String,
        port: UInt16,
        isServed: Bool,
    ) throws {
        try withDirectory { state in
            let addresses = [
                "unix:/run/x", "tcp:127.0.0.1:7001", "tcp:[::1]:7003", "tcp:0.0.0.0:7004",
                "tcp:[::]:7005", "tcp:192.0.2.1:7006",
            ]
            let held = try StateAddresses.publish(addresses, stateDirectory: state)
            let address = SocketAddress.tcp(host: host, port: port)
            #expect(StateAddresses.contain(address, stateDirectory: state) == isServed)
            withExtendedLifetime(held) {}
        }
    }

    @Test func `a file whose server has ended counts no more`() throws {
        try withDirectory { state in
            let address = SocketAddress.tcp(host: "127.0.0.1", port: 7001)
            #expect(!StateAddresses.contain(address, stateDirectory: state))
            let held = try StateAddresses.publish(["\(address)"], stateDirectory: state)
            #expect(StateAddresses.contain(address, stateDirectory: state))
            held.close()
            #expect(!StateAddresses.contain(address, stateDirectory: state))
            let next = try StateAddresses.publish(["\(address)"], stateDirectory: state)
            #expect(StateAddresses.contain(address, stateDirectory: state))
            // Whoever looks is in nobody's way.
            let after = try StateAddresses.publish([], stateDirectory: state)
            #expect(!StateAddresses.contain(address, stateDirectory: state))
            withExtendedLifetime(next) {}
            withExtendedLifetime(after) {}
        }
    }

    @Test func `a file of another machine or network, or that others may write, does not count`()
        throws
    {
        try withDirectory { state in
            let address = SocketAddress.tcp(host: "127.0.0.1", port: 7001)
            let path = StateAddresses.path(stateDirectory: state)
            let other = try Files.writeHeld(path, Array("other net:[1]\n\(address)\n".utf8))
            #expect(!StateAddresses.contain(address, stateDirectory: state))
            let own = try StateAddresses.publish(["\(address)"], stateDirectory: state)
            #expect(chmod(path, 0o666) == 0)
            #expect(!StateAddresses.contain(address, stateDirectory: state))
            #expect(chmod(path, 0o600) == 0)
            #expect(StateAddresses.contain(address, stateDirectory: state))
            withExtendedLifetime(other) {}
            withExtendedLifetime(own) {}
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = try Files.makeTemporaryDirectory(in: "/tmp", prefix: "execstream-test-")
        defer { try? Files.removeTree(path) }
        try body(path)
    }
}
