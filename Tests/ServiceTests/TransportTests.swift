import ExecServer
import Kernel
import Testing

/// One side of a connection, in a form that can be copied, as the checks ask for.
private final class Side {
    private let transport: Transport

    init(_ transport: consuming Transport) { self.transport = transport }

    var hasUnread: Bool { transport.hasUnread }
    var hasUnsent: Bool { transport.hasUnsent }
    func handshake() throws -> Interest? { try transport.handshake() }
    func send(_ list: GatherList) throws -> Int? { try transport.send(list) }
    func write(_ bytes: [UInt8]) throws -> Int? { try transport.write(bytes.span.bytes) }
    func flush() throws -> Bool { try transport.flush() }
    func sayEnd() { transport.sayEnd() }
    func cut() { Sockets.shutdownWrites(transport.descriptor) }

    func writePlain(_ bytes: [UInt8]) throws {
        _ = try transport.descriptor.write(bytes.span.bytes)
    }

    func read(_ size: Int) throws -> [UInt8]? {
        try withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { buffer in
            try transport.read(into: buffer).map { Array(buffer.prefix($0)) }
        }
    }
}

@Suite("A transport under TLS", .timeLimit(.minutes(1)))
struct TransportTests {
    private func withPair(_ body: (_ server: Side, _ client: Side) throws -> Void) throws {
        let directory = temporaryDirectory()
        defer { try? Files.removeTree(directory) }
        let certificates = try Certificates(in: directory)
        let identity = try certificates.sign("server")
        let serving = try TLSContext(
            serving: TLSIdentity(certificateFile: identity.certificate, keyFile: identity.key),
            clientCAFile: nil
        )
        let trusting = try TLSContext(trusting: certificates.ca, as: nil)
        var sockets = try Sockets.pair()
        let server = Side(try Transport(sockets.takeFirst(), serving))
        let client = Side(try Transport(sockets.takeSecond(), trusting, host: "127.0.0.1"))
        try body(server, client)
    }

    private func shakeHands(_ server: Side, _ client: Side) throws {
        for _ in 0..<10 {
            let isDone = try client.handshake() == nil
            if try server.handshake() == nil, isDone { return }
        }
        throw Unexpected("the handshake does not end")
    }

    /// A list with a few bytes that lie in it and many that lie elsewhere, and what it holds.
    private func list(_ payload: Int) -> (GatherList, [UInt8]) {
        let list = GatherList()
        let (head, body) = (randomBytes(33), randomBytes(payload))
        let slab = Slab(capacity: payload)
        list.appendPiece(head.span.bytes)
        list.append(slab, at: slab.append(body.span.bytes), count: payload)
        return (list, head + body)
    }

    @Test("sends a list in order, whatever the size of its parts", arguments: [1, 16_351, 100_000])
    func wholeList(_ payload: Int) throws {
        try withPair { server, client in
            try shakeHands(server, client)
            let (list, expected) = list(payload)
            #expect(try server.send(list) == expected.count)
            #expect(!server.hasUnsent)
            #expect(try client.read(1 << 20) == expected)
            #expect(try client.read(1 << 20) == nil)
        }
    }

    @Test("takes whole records where the socket is full, and writes what it has taken later")
    func fullSocket() throws {
        try withPair { server, client in
            try shakeHands(server, client)
            var expected: [UInt8] = []
            while !server.hasUnsent {
                let (list, bytes) = list(200_000)
                let sent = try #require(try server.send(list))
                expected += bytes.prefix(sent)
            }
            // Full: nothing more is taken.
            #expect(try server.flush() == false)
            #expect(try server.send(list(10).0) == nil)
            #expect(try server.write([1, 2, 3]) == nil)

            var arrived: [UInt8] = []
            while arrived.count < expected.count {
                guard let bytes = try client.read(1 << 20) else {
                    guard try server.flush() else { throw Unexpected("it is stuck") }
                    continue
                }
                arrived += bytes
            }
            #expect(arrived == expected)
            #expect(try server.flush())
            #expect(!server.hasUnsent)
        }
    }

    @Test("tells of what it still has when the buffer was full")
    func unread() throws {
        try withPair { server, client in
            try shakeHands(server, client)
            let (list, expected) = list(40_000)
            #expect(try server.send(list) == expected.count)
            var arrived: [UInt8] = []
            repeat {
                let bytes = try #require(try client.read(1000))
                #expect(bytes.count <= 1000)
                arrived += bytes
            } while client.hasUnread && arrived.count < expected.count
            #expect(arrived == expected)
            #expect(try client.read(1000) == nil)
            #expect(!client.hasUnread)
        }
    }

    @Test("tells the end that was said, after all that came before it")
    func end() throws {
        try withPair { server, client in
            try shakeHands(server, client)
            let (list, expected) = list(1000)
            #expect(try server.send(list) == expected.count)
            server.sayEnd()
            #expect(try client.read(1 << 20) == expected)
            #expect(client.hasUnread)
            #expect(try client.read(1 << 20) == [])
        }
    }

    @Test("tells an end that was not said for what it is, after all that came before it")
    func cut() throws {
        try withPair { server, client in
            try shakeHands(server, client)
            let (list, expected) = list(1000)
            #expect(try server.send(list) == expected.count)
            server.cut()
            #expect(try client.read(1 << 20) == expected)
            #expect(client.hasUnread)
            #expect(throws: TransportFailure.cut) { try client.read(1 << 20) }
        }
    }

    @Test("knows plain text when it sees it")
    func plainText() throws {
        try withPair { server, client in
            try client.writePlain([0, 0, 0, 9, 0, 0, 0, 1, 1, 0])
            let error = #expect(throws: TransportFailure.self) {
                try server.handshake()
            }
            guard case .tls(let failure) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(failure.isPlainText)
        }
    }
}
