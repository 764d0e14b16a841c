import ExecClient
import ExecModel
import Glibc
import Kernel
import Testing
import Wire

@testable import ExecServer

@Suite("TLS where only one side speaks it", .serialized, .timeLimit(.minutes(1)))
struct OneSidedTLSTests {
    @Test("A plain client of a port under TLS is told so, and the connection closed")
    func plainClient() async throws {
        try await TLSHouse.run { house in
            let client = try RawClient(port: house.service.port)
            let hello = HelloRequest(client: "raw/1", token: house.service.token)
            let status = try #require(try client.call(.hello, hello).status)
            #expect(status.code == .failedPrecondition)
            #expect(status.message.contains("TLS"))
            #expect(throws: RawClient.Closed.self) { try client.next() }

            let error = try await failure {
                try await house.service.withClient { client in _ = try await client.list() }
            }
            #expect(error.message.contains("--tls-ca"))
            #expect(house.log.all.contains { $0.contains("does not speak TLS") })
        }
    }

    @Test("An HTTP request to a port under TLS is no more than a closed connection")
    func http() async throws {
        try await TLSHouse.run { house in
            let client = try RawClient(port: house.service.port)
            try client.write(Array("GET / HTTP/1.1\r\n\r\n".utf8))
            #expect(throws: RawClient.Closed.self) { try client.next() }
        }
    }

    @Test("A client that wants TLS from a plain port is told that there may be none")
    func plainServer() async throws {
        try await Service.run { service in
            var options = ClientOptions()
            options.tls = ClientTLS()
            let error = try await failure {
                try await service.withClient(options: options) { _ = try await $0.list() }
            }
            #expect(error.code == .unavailable)
            #expect(error.message.contains("perhaps it does not speak TLS"), "\(error.message)")
        }
    }

    @Test("A handshake that does not end is ended by the time to authenticate")
    func slowHandshake() async throws {
        try await TLSHouse.run(options: { $0.authenticationTime = .milliseconds(300) }) { house in
            for bytes: [UInt8] in [[], [0x16], [0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3]] {
                let client = try RawClient(port: house.service.port)
                try client.write(bytes)
                #expect(throws: RawClient.Closed.self) { try client.next() }
            }
        }
    }
}

@Suite("A server that is told to read its TLS files again", .serialized, .timeLimit(.minutes(1)))
struct TLSReloadTests {
    @Test("shows the new certificate to new connections, and old ones go on")
    func reload() async throws {
        try await TLSHouse.run { house in
            let old = house.certificates.ca
            let others = try Certificates(in: house.directory, ca: "other")
            try await house.withClient(ClientTLS(caFile: old)) { client in
                let session = client.run(try key(), shell("cat", stdin: true))
                var iterator = session.events.makeAsyncIterator()
                try await session.send(Array("before\n".utf8))
                try await iterator.output("before\n")

                // In the place of the old one, signed by another CA.
                _ = try others.sign("server")
                house.service.server.reload()
                #expect(try await house.execs(ClientTLS(caFile: others.ca)) == 1)
                let refused = try await failure {
                    try await house.withClient(ClientTLS(caFile: old)) { client in
                        _ = try await client.list()
                    }
                }
                #expect(refused.message.contains("certificate was refused"))

                try await session.send(Array("after\n".utf8))
                try await iterator.output("after\n")
                try await session.closeStdin()
                let rest = try await iterator.rest()
                #expect(rest.exit?.code == 0)
                #expect(rest.resumptions.isEmpty)
            }
        }
    }

    @Test("keeps what it has where a file can't be used")
    func broken() async throws {
        try await TLSHouse.run { house in
            let key = "\(house.directory)/server.key"
            try Files.writeAtomically(key, Array("no key\n".utf8), permissions: 0o600)
            house.service.server.reload()
            let told = house.log.all.filter { $0.hasPrefix("error not reloaded") }
            #expect(told.count == 1 && told.allSatisfy { $0.contains(key) })
            #expect(try await house.execs() == 0)
        }
    }
}

@Suite("Where a server may listen")
struct ListenPolicyTests {
    private let loopback = [
        "unix:/run/a", "tcp:127.0.0.1:0", "tcp:127.9.8.7:1", "tcp:[::1]:1", "tcp:localhost:1",
        "tcp:[::ffff:127.0.0.1]:1",
    ]
    private let open = [
        "tcp:0.0.0.0:0", "tcp:[::]:0", "tcp:192.0.2.1:1", "tcp:[2001:db8::1]:1", "tcp:0:1",
        "tcp:[::ffff:192.0.2.1]:1",
    ]

    @Test("without TLS on loopback only")
    func plain() throws {
        let policy = ListenPolicy(hasTLS: false, allowsInsecureTCP: false)
        #expect(try policy.insecure(among: loopback) == [])
        for address in open {
            let error = #expect(throws: ExecError.self) {
                try policy.insecure(among: loopback + [address])
            }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.message.contains(address) == true)
            #expect(error?.message.contains("\n") == false)
        }
    }

    @Test("with TLS anywhere, and without where it is allowed; then it is told which")
    func allowed() throws {
        let tls = ListenPolicy(hasTLS: true, allowsInsecureTCP: false)
        #expect(try tls.insecure(among: loopback + open) == [])
        let insecure = ListenPolicy(hasTLS: false, allowsInsecureTCP: true)
        #expect(try insecure.insecure(among: loopback + open) == open)
    }

    @Test("A server refuses to start before it listens anywhere")
    func start() async throws {
        let error = try await failure {
            try await Service.run(options: { options in
                options.listen = ["tcp:127.0.0.1:0", "tcp:0.0.0.0:0"]
            }) { _ in }
        }
        #expect(error.code == .failedPrecondition)
        #expect(error.message.contains("--insecure"))
    }

    @Test("A server refuses to start without its certificate")
    func noCertificate() async throws {
        let error = try await failure {
            try await Service.run(options: { options in
                options.tls = ServerTLS(certificateFile: "/nowhere/c", keyFile: "/nowhere/k")
            }) { _ in }
        }
        #expect(error.code == .failedPrecondition)
        #expect(error.message.contains("'/nowhere/c' can't be used: No such file"), "\(error)")
    }
}
