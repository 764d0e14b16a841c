import Kernel
import Testing

@testable import ExecClient

@Suite(.timeLimit(.minutes(1))) struct ClientTokenTests {
    @Test(arguments: [
        (["127.0.0.1"], true), (["127.8.9.1"], true), (["::1"], true), (["::ffff:127.0.0.1"], true),
        (["::1", "127.0.0.1"], true),
        (["0.0.0.0"], false), (["::"], false), (["::ffff:0.0.0.0"], false), (["192.0.2.1"], false),
        (["2001:db8::1"], false), (["::ffff:192.0.2.1"], false),
        (["127.0.0.1", "192.0.2.1"], false),
        (["192.0.2.1", "::1"], false), (["::127.0.0.1"], false), (["128.0.0.1"], false),
    ])
    func `a given token goes without TLS to loopback addresses only, all of a name's`(
        hosts: [String],
        isLet: Bool,
    ) throws {
        let address = SocketAddress.tcp(host: "name", port: 1)
        let candidates = hosts.map { SocketAddress.tcp(host: $0, port: 1) }
        let refusal = ClientToken.given("secret").refusal(of: candidates, for: address)
        #expect((refusal == nil) == isLet)
        if let refusal {
            #expect(refusal.code == .failedPrecondition)
            #expect(refusal.message.contains("tcp:name:1") && !refusal.message.contains("secret"))
        }
        #expect(ClientToken.none.refusal(of: candidates, for: address) == nil)
        #expect(ClientToken.given("").refusal(of: candidates, for: address) == nil)
    }

    @Test func `nothing is sent to a listener that the token must not go to`() async throws {
        // All addresses of this machine lead to the listener, and this one is no loopback address.
        var listening = try Sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))
        guard case .tcp(_, let port) = listening.address else { return }
        let listener = listening.takeDescriptor()
        let client = try ExecClient(address: "tcp:0.0.0.0:\(port)", token: "secret")
        defer { client.close() }
        let error = await #expect(throws: ExecError.self) { try await client.list() }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("--insecure") == true)
        // Not even a connection.
        #expect(try Sockets.accept(listener) == nil)
        let session = client.attach(try ExecKey(container: "c", exec: "e"))
        let refused = await #expect(throws: ExecError.self) { try await session.exit() }
        #expect(refused?.code == .failedPrecondition)
    }

    @Test func `a token that is looked up is asked for at each connection, for its address`()
        async throws
    {
        let asked = Seen<SocketAddress>()
        let server = try FakeServer { event, peer in
            if case .request = event { peer.close() }
        }
        defer { server.stop() }
        let token = ClientToken.lookedUp { address in
            asked.add(address)
            return nil
        }
        let client = try ExecClient(
            address: server.address,
            token: token,
            options: ClientOptions(),
        )
        defer { client.close() }
        for _ in 0..<2 { _ = try? await client.list() }
        #expect(asked.all == [try SocketAddress(parsing: server.address)].flatMap { [$0, $0] })
    }
}
