internal import Testing

@testable internal import Kernel

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("unix:/run/a.sock", SocketAddress.unix(path: "/run/a.sock")),
        ("unix:a:b", .unix(path: "a:b")),
        ("tcp:127.0.0.1:7070", .tcp(host: "127.0.0.1", port: 7070)),
        ("tcp:localhost:0", .tcp(host: "localhost", port: 0)),
        ("tcp:[::1]:65535", .tcp(host: "::1", port: 65535)),
    ])
    func `reads what it writes`(text: String, address: SocketAddress) throws {
        #expect(try SocketAddress(parsing: text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("", "'unix:' or 'tcp:'"),
        ("http://x", "'unix:' or 'tcp:'"),
        ("unix:", "the path is missing"),
        ("unix:/a\0b", "NUL"),
        ("unix:/" + String(repeating: "x", count: 107), "108 bytes; 107 is the most"),
        ("tcp:", "the port is missing"),
        ("tcp:host", "the port is missing"),
        ("tcp:[::1]", "the port is missing"),
        ("tcp::80", "the host is missing"),
        ("tcp:[]:80", "the host is missing"),
        ("tcp:host:", "'' is not a port"),
        ("tcp:host:65536", "'65536' is not a port"),
        ("tcp:host:+80", "'+80' is not a port"),
        ("tcp:host:-1", "'-1' is not a port"),
        ("tcp:::1:80", "needs brackets"),
    ])
    func `says what is wrong with an address`(text: String, problem: String) throws {
        let error = try #require(throws: AddressError.self) { try SocketAddress(parsing: text) }
        #expect(error.message.contains(problem))
        #expect(error.message.hasPrefix("cannot use the address '\(text)': "))
    }

    @Test func `takes the longest path that a socket can have`() throws {
        let directory = try TemporaryDirectory()
        let name = String(repeating: "x", count: 107 - directory.path.utf8.count - 1)
        let address = try SocketAddress(parsing: "unix:\(directory.path)/\(name)")
        var listening = try Sockets.listen(on: address)
        let listener = listening.takeDescriptor()
        let client = try Sockets.connect(to: address)
        #expect(Sockets.connectResult(client) == nil)
        #expect(try Sockets.accept(listener) != nil)
        let tooLong = SocketAddress.unix(path: "\(directory.path)/\(name)y")
        let failure = try #require(throws: SocketFailure.self) {
            _ = try Sockets.listen(on: tooLong)
        }
        #expect(failure.errno == .nameTooLong)
        #expect(failure.description.contains("107"))
    }
}
