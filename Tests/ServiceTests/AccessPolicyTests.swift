internal import ExecModel
internal import Kernel
internal import Testing

@testable internal import ExecServer

@Suite("A tokens file") struct AccessPolicyTests {
    private static let token = "0123456789abcdef"

    private func policy(_ text: String) throws -> AccessPolicy {
        var policy = AccessPolicy()
        try policy.add(parsing: Array(text.utf8))
        return policy
    }

    @Test("says whose each token is, what it is good for, and where")
    func right() throws {
        let policy = try policy(
            """
            # who     what              by what
            alice     admin             alice-0123456789
              ci-bot\trun:ci-,dev\t\tci-bot-0123456789#:,  \n

            wall      view              \(String(repeating: "w", count: 512))
            """
        )
        #expect(policy.count == 3)
        let alice = try #require(policy.identity(presenting: "alice-0123456789"))
        #expect(alice == Identity(name: "alice", role: .admin))
        let bot = try #require(policy.identity(presenting: "ci-bot-0123456789#:,"))
        #expect(bot == Identity(name: "ci-bot", role: .run, prefixes: ["ci-", "dev"]))
        let wall = policy.identity(presenting: String(repeating: "w", count: 512))
        #expect(wall == Identity(name: "wall", role: .view))
    }

    @Test("may hold nothing", arguments: ["", "\n\n", "# nobody\n", "  # nobody"])
    func empty(_ text: String) throws { #expect(try policy(text).count == 0) }

    @Test(
        "that is wrong is refused, by line and problem, without what stands there",
        arguments: [
            ("alice", 1, "1 word instead of three"),
            ("# c\n\nalice admin", 3, "2 words instead of three"),
            ("alice admin \(token) # mine", 1, "5 words instead of three"),
            ("alice \(token) admin", 1, "second word must be view, run or admin"),
            ("alice Admin \(token)", 1, "second word must be"),
            ("alice admin, \(token)", 1, "second word must be"),
            ("alice run: \(token)", 1, "prefix"),
            ("alice run:a,,b \(token)", 1, "prefix"),
            ("alice run:a/b \(token)", 1, "prefix"),
            ("alice run:* \(token)", 1, "prefix"),
            ("alice run:p\(String(repeating: ",p", count: 16)) \(token)", 1, "17 prefixes"),
            ("alice view 0123456789abcde", 1, "15 characters"),
            ("alice view \(String(repeating: "x", count: 513))", 1, "513 characters"),
            ("-a view \(token)", 1, "name must be"),
            ("uid:0 view \(token)", 1, "name must be"),
            ("\(String(repeating: "n", count: 65)) view \(token)", 1, "name must be"),
            ("a view \(token)\na run \(token)x", 2, "name is taken"),
            ("a view \(token)\nb run \(token)", 2, "that of another line"),
            ("a view \(token)\r\nb run \(token)x", 1, "printable ASCII"),
            ("a view \(token)é", 1, "printable ASCII"),
            ("a view \(token)\0", 1, "printable ASCII"),
        ] as [(String, Int, String)]
    )
    func wrong(_ text: String, _ line: Int, _ problem: String) throws {
        let error = try #require(throws: AccessPolicyError.self) { try policy(text) }
        #expect(error.line == line)
        #expect(error.problem.contains(problem), "\(error)")
        #expect(!error.description.contains("0123456789"), "\(error)")
    }

    @Test("has a thousand tokens at most, and none that is there already")
    func bounds() throws {
        let lines = (1...1_000).map { "n\($0) view token-number-\(10_000 + $0)" }
        let policy = try policy(lines.joined(separator: "\n"))
        #expect(policy.identity(presenting: "token-number-10777")?.name == "n777")
        #expect(throws: AccessPolicyError(line: 1, problem: "there are more than 1000 tokens")) {
            var policy = policy
            try policy.add(parsing: Array("one view \(Self.token)".utf8))
        }
        var withDefault = AccessPolicy()
        withDefault.add(Identity(name: "default", role: .admin), token: Self.token)
        for line in ["default view \(Self.token)x", "other view \(Self.token)"] {
            #expect(throws: AccessPolicyError.self) {
                try withDefault.add(parsing: Array(line.utf8))
            }
        }
    }

    @Test("knows a token only by all of it, wherever it stands")
    func lookup() throws {
        let tokens = ["0123456789abcdef", "0123456789abcdefg", "abcdefghijklmnopqrstuvwxyz", "é"]
        var policy = AccessPolicy()
        for token in tokens { policy.add(Identity(name: token, role: .view), token: token) }
        for token in tokens {
            #expect(policy.identity(presenting: token)?.name == token)
            let bytes = Array(token.utf8)
            for index in bytes.indices {
                var other = bytes
                other[index] ^= 1
                #expect(policy.identity(presenting: String(decoding: other, as: UTF8.self)) == nil)
            }
        }
        let long = String(repeating: "x", count: 1 << 16)
        for wrong in ["", "\0", "0", "0123456789abcde", "0123456789abcdef\0", long] {
            #expect(policy.identity(presenting: wrong) == nil)
        }
        #expect(AccessPolicy().identity(presenting: "") == nil)
    }

    @Test("limits a token to containers that begin with its prefixes, byte by byte")
    func prefixes() {
        let identity = Identity(name: "n", role: .admin, prefixes: ["ci-", "de"])
        for container in ["ci-", "ci-1", "de", "dev", "de.x"] {
            #expect(identity.covers(container))
        }
        for container in ["", "ci", "CI-1", "d", "xci-1", "cI-1"] {
            #expect(!identity.covers(container))
        }
        // As characters this is a prefix of nothing; as bytes it is one.
        #expect(identity.covers("de\u{301}v"))
        #expect(Identity(name: "n", role: .view).covers(""))
    }
}

@Suite("Wrong tokens") struct TokenPenaltiesTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test("wait twice as long each time, ten seconds at most, each network for itself")
    func growth() {
        var penalties = TokenPenalties(first: .milliseconds(100))
        let waits = (0..<9).map { _ in penalties.add("10.0.0.1", at: start) }
        #expect(
            waits
                == [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].map {
                    .milliseconds($0)
                }
        )
        for _ in 0..<1_000 { #expect(penalties.add("10.0.0.1", at: start) == .seconds(10)) }
        #expect(penalties.add("10.0.0.2", at: start) == .milliseconds(100))
    }

    @Test("are forgotten after ten quiet minutes, and not before")
    func expiry() {
        var penalties = TokenPenalties(first: .milliseconds(100))
        for _ in 0..<3 { _ = penalties.add("a", at: start) }
        let almost = start + .seconds(599)
        #expect(penalties.add("a", at: almost) == .milliseconds(800))
        #expect(penalties.add("a", at: almost + .seconds(600)) == .milliseconds(100))
    }

    @Test("are remembered for 4,096 networks: the quiet ones go first")
    func bound() {
        var penalties = TokenPenalties(first: .milliseconds(100))
        for number in 0..<4_096 {
            _ = penalties.add("n\(number)", at: start + .milliseconds(number))
        }
        #expect(penalties.count == 4_096)
        let now = start + .seconds(10)
        _ = penalties.add("one more", at: now)
        #expect(penalties.count == 3_073)
        #expect(penalties.add("n4095", at: now) == .milliseconds(200))
        #expect(penalties.add("n0", at: now) == .milliseconds(100))
        for number in 0..<2_000 { _ = penalties.add("m\(number)", at: now + .seconds(1_000)) }
        #expect(penalties.count == 2_000)
    }
}
