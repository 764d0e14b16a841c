import ExecClient
import ExecCore
import ExecModel
import ExecServer
import Testing
import Wire

@Suite("The limit of a log", .serialized, .timeLimit(.minutes(1)))
struct LogLimitTests {
    /// 10 MB of it on both streams, in many chunks; the last of it is "end".
    private static let script = """
        head -c 5000000 /dev/zero | tr '\\0' x
        head -c 5000000 /dev/zero | tr '\\0' y >&2
        echo end
        """

    @Test("costs who comes later its oldest part, told in one gap, and nothing else")
    func attach() async throws {
        try await Service.run { service in
            _ = try service.run(["sh", "-c", Self.script]) { $0.limits.logBytesMax = 2 << 20 }
            let client = try RawClient(service)
            try client.start(Start(containerID: "test", execID: "one"), id: 3)
            let said = try client.session(3)
            let gaps = said.responses.compactMap { if case .gap(let gap) = $0 { gap } else { nil } }
            let gap = try #require(gaps.first)
            let exit = try #require(said.exit)
            #expect(gaps.count == 1)
            #expect(gap.firstSequence == 1)
            #expect(said.ready?.firstSequence == gap.lastSequence + 1)
            let first = gap.lastSequence + 1
            #expect(said.chunks.map(\.sequence) == Array(first...exit.lastSequence))
            #expect(exit.stdoutBytes == 5_000_004)
            #expect(exit.stderrBytes == 5_000_000)
            #expect(gap.stdoutBytes + UInt64(said.bytes(.stdout).count) == exit.stdoutBytes)
            #expect(gap.stderrBytes + UInt64(said.bytes(.stderr).count) == exit.stderrBytes)
            #expect(said.text(.stdout).hasSuffix("end\n"))
            #expect(said.bytes(.stderr).allSatisfy { $0 == UInt8(ascii: "y") })
            #expect(said.bytes(.stderr).count > 1 << 20)
        }
    }

    @Test("is no data loss to a client: what it was told and what came make up the totals")
    func client() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                var command = shell(Self.script)
                command.limits.logBytesMax = 1 << 20
                _ = try await Account.of(client.run(try key(), command))
                for from in [View.From.start, .after(sequence: 3), .tail(bytes: 9_000_000)] {
                    var view = View()
                    view.from = from
                    let said = try await Account.of(client.attach(try key(), view: view))
                    #expect(said.exit?.stdoutBytes == 5_000_004)
                    #expect(said.chunks.last?.sequence == said.exit?.lastSequence)
                    #expect(said.events.contains { if case .gap = $0 { true } else { false } })
                }
            }
        }
    }

    @Test("that is less than a server can keep to is INVALID_ARGUMENT, and says what it can")
    func tooSmall() async throws {
        try await Service.run { service in
            let said = try service.run(["true"]) { $0.limits.logBytesMax = (1 << 20) - 1 }
            #expect(said.failure?.code == .invalidArgument)
            #expect(said.failure?.message.contains("1048576") == true)
            #expect(service.registry.instances().isEmpty)
        }
    }
}
