import Glibc
import Testing

@Suite("TLS, by the program", .serialized, .timeLimit(.minutes(2)))
struct TLSCommandTests {
    /// Makes a CA, and a certificate for 127.0.0.1 that it has signed, in the house's directory.
    private func makeCertificates(_ house: House, ca: String = "ca") async throws {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        let (caFile, caKey) = ("\(house.directory)/\(ca).pem", "\(house.directory)/\(ca).key")
        let base = "\(house.directory)/server"
        let steps = [
            ["req", "-x509"] + key
                + ["-days", "1", "-subj", "/CN=\(ca)", "-keyout", caKey, "-out", caFile],
            ["req", "-x509"] + key
                + ["-days", "1", "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"]
                + ["-CA", caFile, "-CAkey", caKey, "-keyout", "\(base).key"]
                + ["-out", "\(base).pem"],
        ]
        for step in steps {
            let said = try await house.start(program: "/usr/bin/openssl", step).end()
            #expect(said.code == 0, "\(said.stderr)")
        }
    }

    private func serving(_ house: House) -> [String] {
        [
            "--tls-cert", "\(house.directory)/server.pem", "--tls-key",
            "\(house.directory)/server.key",
        ]
    }

    @Test("serves and runs; clients are told by options or by their environment")
    func run() async throws {
        try await House.withoutServer { house in
            try await makeCertificates(house)
            let ca = "\(house.directory)/ca.pem"
            try await house.serve(
                serving(house) + ["--tls-client-ca", ca, "--log-level", "debug"]
            )
            let own = serving(house)
            let trusted = ["--tls-ca", ca] + own
            let said = try await house.start(["run"] + trusted + ["sh", "-c", "echo hi; exit 3"])
                .end()
            #expect(said.code == 3)
            #expect(said.stdout == "hi\n")
            let environment = [
                "EXECSTREAM_TLS_CA=\(ca)", "EXECSTREAM_TLS_CERT=\(own[1])",
                "EXECSTREAM_TLS_KEY=\(own[3])", try programPath(), "ps", "-a",
            ]
            let listed = try await house.start(program: "/usr/bin/env", environment).end()
            #expect(listed.code == 0, "\(listed.stderr)")

            let plain = try await house.run("ps")
            #expect(plain.code == 125)
            #expect(plain.lines.count == 1)
            #expect(plain.stderr.contains("--tls-ca"))
            let unproven = try await house.run("ps", "--tls-ca", ca)
            #expect(unproven.code == 125)
            #expect(unproven.stderr.contains("certificate required"))
            let untrusting = try await house.run("ps", "--tls")
            #expect(untrusting.code == 125)
            #expect(untrusting.stderr.contains("certificate was refused"))
            let half = try await house.run("ps", "--tls-ca", ca, "--tls-cert", own[1])
            #expect(half.code == 125)
            #expect(half.stderr.contains("go together"))
            #expect(try house.server.view.stderr.contains("debug TLS peer="))
        }
    }

    @Test("reads its files again on SIGHUP, while what runs goes on")
    func reload() async throws {
        try await House.withoutServer { house in
            try await makeCertificates(house)
            try await house.serve(serving(house) + ["--log-level", "info"])
            let old = ["--tls-ca", "\(house.directory)/ca.pem"]
            let words = ["run", "-i"] + old + ["cat"]
            let run = try house.start(words, input: nil)
            run.write("before\n")
            try await run.prints("before\n")

            try await makeCertificates(house, ca: "other")
            let server = try house.server
            server.signal(SIGHUP)
            try await server.wait { $0.stderr.contains("info reloaded") }
            let seen = try await house.run("ps", "--tls-ca", "\(house.directory)/other.pem")
            #expect(seen.code == 0, "\(seen.stderr)")
            #expect(try await house.start(["ps"] + old).end().code == 125)
            run.write("after\n", andClose: true)
            let said = try await run.end()
            #expect(said.code == 0)
            #expect(said.stdout == "before\nafter\n")

            try await makeCertificates(house, ca: "third")
            // Of a key that is not its certificate's nothing is taken.
            _ = try await house.start(
                program: "/bin/cp",
                ["\(house.directory)/other.key", "\(house.directory)/server.key"]
            ).end()
            server.signal(SIGHUP)
            try await server.wait { $0.stderr.contains("error not reloaded") }
            let kept = try await house.run("ps", "--tls-ca", "\(house.directory)/other.pem")
            #expect(kept.code == 0, "\(kept.stderr)")
        }
    }

    @Test("A server refuses plain TCP on what is not loopback, in one line")
    func refused() async throws {
        try await House.withoutServer { house in
            let said = try await house.run("serve", "--listen", "tcp:0.0.0.0:0")
            #expect(said.code == 125)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains("--insecure"))
            let half = try await house.run("serve", "--tls-cert", "/x")
            #expect(half.code == 2)
            #expect(half.lines.count == 1)
        }
    }
}
