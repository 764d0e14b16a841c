import ExecClient
import ExecModel
import Kernel
import Synchronization
import Testing
import Wire

@testable import ExecServer

/// A server under TLS, and the CA that has signed its certificate.
struct TLSHouse: Sendable {
    let service: Service
    let certificates: Certificates
    let directory: String
    let log: Lines

    /// Lines of a log.
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        var all: [String] { lines.withLock { $0 } }
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    /// Lends a server; with `asksClients` they need a certificate.
    static func run(
        for subject: String = "IP:127.0.0.1",
        days: Int = 1,
        asksClients: Bool = false,
        options change: (inout ServerOptions) -> Void = { _ in },
        _ body: (TLSHouse) async throws -> Void,
    ) async throws {
        let directory = temporaryDirectory()
        defer { try? Files.removeTree(directory) }
        let certificates = try Certificates(in: directory)
        var tls = try certificates.sign("server", for: subject, days: days).server
        if asksClients { tls.clientCAFile = certificates.ca }
        let log = Lines()
        try await Service.run(options: { options in
            options.tls = tls
            options.log = ServerLog(level: .debug) { log.add($0) }
            change(&options)
        }) { service in
            try await body(
                TLSHouse(
                    service: service,
                    certificates: certificates,
                    directory: directory,
                    log: log
                )
            )
        }
    }

    /// Lends a client that trusts the CA, or does as `tls` says.
    func withClient<R>(
        _ tls: ClientTLS? = nil,
        address: String? = nil,
        _ body: (ExecClient) async throws -> R,
    ) async throws -> R {
        var options = ClientOptions()
        options.tls = tls ?? ClientTLS(caFile: certificates.ca)
        let client = try ExecClient(
            address: address ?? service.address(),
            token: service.token,
            options: options
        )
        defer { client.close() }
        return try await body(client)
    }

    /// How many execs a client sees.
    func execs(_ tls: ClientTLS? = nil, address: String? = nil) async throws -> Int {
        try await withClient(tls, address: address) { try await $0.list().execs.count }
    }

    /// What a client is told that is not let in, which is to happen soon.
    func refusal(_ tls: ClientTLS? = nil, address: String? = nil) async throws -> String {
        let start = ContinuousClock.now
        let error = try await failure {
            try await withClient(tls, address: address) { client in
                _ = try await Account.of(client.run(try key(), shell("true")))
            }
        }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(error.code == .unavailable)
        #expect(service.registry.instances().isEmpty)
        return error.message
    }
}

@Suite("A server under TLS", .serialized, .timeLimit(.minutes(2)))
struct TLSTests {
    @Test("runs and shows, byte for byte, and says what protects that")
    func largeOutput() async throws {
        try await TLSHouse.run { house in
            let expected = randomBytes(16 << 20)
            let file = "\(house.directory)/bytes"
            try Files.writeAtomically(file, expected, permissions: 0o600)
            try await house.withClient { client in
                let said = try await Account.of(
                    client.run(try key(), Command(["sh", "-c", "cat \(file); exit 3"]))
                )
                #expect(said.exit?.code == 3)
                #expect(said.bytes() == expected)
                let again = try await Account.of(client.attach(try key()))
                #expect(again.exit == said.exit)
                #expect(again.bytes() == expected)
            }
            let line = try #require(house.log.all.first { $0.hasPrefix("debug TLS ") })
            #expect(line.contains("TLSv1.3"))
            #expect(line.contains("in_kernel=\""))
        }
    }

    @Test("takes input as well, more than a record at a time")
    func stdin() async throws {
        try await TLSHouse.run { house in
            try await house.withClient { client in
                let sent = randomBytes(1 << 20)
                let session = client.run(try key(), shell("cat", stdin: true))
                async let said = Account.of(session)
                for start in stride(from: 0, to: sent.count, by: 50_000) {
                    try await session.send(Array(sent[start..<min(start + 50_000, sent.count)]))
                }
                try await session.closeStdin()
                #expect(try await said.bytes() == sent)
            }
        }
    }

    @Test("loses and doubles nothing, wherever a connection breaks")
    func resume() async throws {
        try await TLSHouse.run { house in
            // In the handshake only where it may come back: not the first time.
            let limits = [300_003, 700, 200_001, 1100, 400_007]
            let proxy = try CuttingProxy(to: house.service.port, limits: limits)
            defer { proxy.close() }
            try await house.withClient(address: proxy.address) { client in
                let said = try await Account.of(
                    client.run(try key(), shell("seq 1 200000; exit 5"))
                )
                #expect(said.exit?.code == 5)
                #expect(said.bytes() == Array((1...200_000).map { "\($0)\n" }.joined().utf8))
                #expect(!said.resumptions.isEmpty)
                #expect(proxy.connections == limits.count + 1)
            }
        }
    }

    @Test("leaves the Unix socket as it is")
    func unixSocket() async throws {
        try await TLSHouse.run { house in
            let count = try await house.execs(address: house.service.address(.unix))
            #expect(count == 0)
        }
    }

    @Test("that asks clients for a certificate takes those of its CA and no others")
    func mutual() async throws {
        try await TLSHouse.run(asksClients: true) { house in
            let good = try house.certificates.sign("client")
            #expect(try await house.execs(good.client(house.certificates.ca)) == 0)
            let none = try await house.refusal()
            #expect(none.contains("certificate required"), "\(none)")
            let others = try Certificates(in: house.directory, ca: "other")
            let foreign = try others.sign("foreign")
            let refused = try await house.refusal(foreign.client(house.certificates.ca))
            #expect(refused.contains("unknown ca"), "\(refused)")
            #expect(house.log.all.contains { $0.hasPrefix("warning TLS handshake failed") })
        }
    }

    @Test("asks for the token all the same")
    func token() async throws {
        try await TLSHouse.run { house in
            var options = ClientOptions()
            options.tls = ClientTLS(caFile: house.certificates.ca)
            let error = try await failure {
                let client = try ExecClient(
                    address: house.service.address(),
                    token: "wrong",
                    options: options
                )
                defer { client.close() }
                _ = try await client.list()
            }
            #expect(error.code == .unauthenticated)
        }
    }

    @Test("is refused by a client that does not know its CA, or reads another name")
    func wrongServer() async throws {
        try await TLSHouse.run { house in
            let others = try Certificates(in: house.directory, ca: "other")
            let unknown = try await house.refusal(ClientTLS(caFile: others.ca))
            #expect(unknown.contains("certificate was refused"), "\(unknown)")
            let system = try await house.refusal(ClientTLS())
            #expect(system.contains("certificate was refused"), "\(system)")
            let name = try await house.refusal(address: "tcp:localhost:\(house.service.port)")
            #expect(name.contains("hostname mismatch"), "\(name)")
        }
        try await TLSHouse.run(for: "DNS:localhost") { house in
            let localhost = "tcp:localhost:\(house.service.port)"
            #expect(try await house.execs(address: localhost) == 0)
            let address = try await house.refusal()
            #expect(address.contains("IP address mismatch"), "\(address)")
        }
    }

    @Test("is refused when its certificate has expired")
    func expired() async throws {
        try await TLSHouse.run(days: -1) { house in
            let refusal = try await house.refusal()
            #expect(refusal.contains("expired"), "\(refusal)")
        }
    }

    @Test("speaks TLS 1.3 only")
    func versions() async throws {
        try await TLSHouse.run { house in
            let connect = "s_client -connect 127.0.0.1:\(house.service.port)"
            let trust = "-CAfile \(house.certificates.ca) -verify_return_error"
            #expect(opensslCode("\(connect) \(trust) -tls1_3") == 0)
            #expect(opensslCode("\(connect) \(trust) -tls1_2") != 0)
            #expect(house.log.all.contains { $0.contains("unsupported protocol") })
        }
    }
}
