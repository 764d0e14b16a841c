import Glibc
import Kernel
import Testing

@Suite("execstream serve --tokens, as a program", .serialized, .timeLimit(.minutes(2)))
struct AccessTests {
    @Test("lets each token do what its role says, and on SIGHUP takes the roles of now")
    func roles() async throws {
        try await House.withoutServer { house in
            let (tokens, audit) = ("\(house.directory)/tokens", "\(house.directory)/audit")
            let token = "token-of-wall-0001"
            let mine = "\(house.directory)/mine"
            try write("\(token)\n", to: mine)
            try write("# who may look on\nwall view \(token)\n", to: tokens)
            try await house.serve(
                ["--tokens", tokens, "--audit-log", audit, "--log-level", "info"]
            )
            #expect(try await house.run("ps", "--token-file", mine).code == 0)
            let run = ["run", "--token-file", mine, "sh", "-c", "echo $0 secret-argument"]
            let refused = try await house.start(run).end()
            #expect(refused.code == 125)
            #expect(refused.lines.count == 1)
            #expect(refused.stderr.contains("role view may not call Session with a command"))
            #expect(refused.stderr.contains("needs role run"))

            try write("wall run:local \(token)\n", to: tokens)
            let server = try house.server
            server.signal(SIGHUP)
            try await server.wait { $0.stderr.contains("info reloaded") }
            #expect(try await house.start(run).end().code == 0)

            try write("wall run:local,-x \(token)\n", to: tokens)
            server.signal(SIGHUP)
            let view = try await server.wait { $0.stderr.contains("error not reloaded") }
            #expect(view.stderr.contains("line 1: a prefix"))
            #expect(try await house.start(run).end().code == 0)
            // The default token is good for everything all the while.
            #expect(try await house.run("run", "-c", "other", "true").code == 0)

            let text = String(decoding: try Files.readSmall(audit, max: 1 << 20), as: UTF8.self)
            #expect(text.contains(#""who":"wall""#))
            #expect(text.contains(#""who":"default""#))
            let starts = text.split(separator: "\n").filter { $0.contains(#""what":"start""#) }
            #expect(starts.count == 4)
            for secret in ["secret", token] {
                #expect(!text.contains(secret))
                #expect(!server.view.stderr.contains(secret))
            }
        }
    }

    @Test("does not start with a file that is wrong: 125, and one line that says which line")
    func wrong() async throws {
        try await House.withoutServer { house in
            let tokens = "\(house.directory)/tokens"
            try write("\nwall look token-of-wall-0001\n", to: tokens)
            let words = ["serve", "--listen", "tcp:127.0.0.1:0", "--tokens", tokens]
            let said = try await house.start(words).end()
            #expect(said.code == 125)
            #expect(said.lines.count == 1)
            #expect(said.stderr.contains("'\(tokens)': line 2: "))
            #expect(!said.stderr.contains("0001"))
            #expect(chmod(tokens, 0o644) == 0)
            #expect(try await house.start(words).end().stderr.contains("mode 0644"))
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Files.writeAtomically(path, Array(text.utf8))
    }
}
