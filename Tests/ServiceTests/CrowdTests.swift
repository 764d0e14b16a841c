import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Synchronization
import Testing
import Wire

@Suite("Any number of viewers", .serialized, .timeLimit(.minutes(10)))
struct CrowdTests {
    /// `EXECSTREAM_CROWD_MIB` makes the exec write more (the full measure is 64).
    private static let mebibytes =
        getenv("EXECSTREAM_CROWD_MIB").flatMap {
            Int(String(cString: $0))
        } ?? 8

    @Test(
        "get the same bytes, the same chunks and the same exit, whatever their manners",
        arguments: [3, 10, 1_000]
    )
    func crowd(count: Int) async throws {
        // The large crowd is given a quarter, unless the full measure was asked for.
        let isSmall = count > 100 && Self.mebibytes < 64
        let bytes = (Self.mebibytes << 20) / (isSmall ? 4 : 1)
        let pattern = CrowdPattern()
        try await Service.run(options: { $0.loopCount = 0 }) { service in
            let script = try Self.writeScript(pattern, bytes, in: service.directory)
            let key = try ExecKey(container: "crowd", exec: "one")
            let gate = "\(service.directory)/gate"
            mkfifo(gate, 0o600)
            let writer = try RawClient(service)
            try writer.start(
                Start(
                    containerID: key.containerID,
                    execID: key.execID,
                    command: Command(["python3", script, gate])
                ),
                id: 3
            )
            while try writer.next().payload.isEmpty {}
            let crowd = try Crowd(key, service, pattern)
            defer { crowd.end() }
            // A tenth comes when all is over; the others are there before the first byte.
            let late = count / 10
            for number in 0..<(count - late) {
                crowd.add(Self.manner(number, count, bytes))
            }
            let opened = try Files.open(gate, .readWriteCreate(permissions: 0o600))
            _ = try opened.write([UInt8(1)].span.bytes)
            let truth = try await service.registry.instance(key).waitForExit()
            opened.close()
            for _ in 0..<late { crowd.add(.steady) }
            let results = await crowd.results(count)

            #expect(truth.code == 0)
            #expect(truth.stdoutBytes + truth.stderrBytes == UInt64(bytes))
            var expected = results[0]
            expected.exit = truth
            expected.failure = nil
            for result in results where result != expected { Issue.record("\(result)") }
        }
    }

    private static func manner(_ number: Int, _ count: Int, _ bytes: Int) -> CrowdManner {
        switch number % 10 {
        case 1: .slow(bytesPerSecond: 1 << 20)
        case 2: .stopping(.seconds(5))
        case 3: .broken(afterBytes: UInt64(bytes / 2))
        default: .steady
        }
    }

    /// A program that waits for its gate and then writes the pattern in mixed sizes on both streams.
    private static func writeScript(
        _ pattern: CrowdPattern,
        _ bytes: Int,
        in directory: String,
    ) throws -> String {
        try Files.writeAtomically("\(directory)/pattern", pattern.bytes)
        let source = """
            import os, random, sys
            pattern = open("\(directory)/pattern", "rb").read() * 4
            period, left, at, sizes = \(CrowdPattern.period), \(bytes), {1: 0, 2: 1000}, random.Random(7)
            os.read(os.open(sys.argv[1], os.O_RDONLY), 1)
            while left:
                stream = 1 if sizes.random() < 0.7 else 2
                size = min(left, sizes.choice([1, 80, 500, 4000, 20000, 66000, 150000]))
                start = at[stream] % period
                count = os.write(stream, pattern[start:start + size])
                at[stream] += count
                left -= count
            """
        try Files.writeAtomically("\(directory)/writer.py", Array(source.utf8))
        return "\(directory)/writer.py"
    }
}

/// Viewers of one exec, on two loops of their own.
private final class Crowd: Sendable {
    private let group: EventLoopGroup
    private let key: ExecKey
    private let service: Service
    private let pattern: CrowdPattern
    private let state = Mutex(State())

    private struct State {
        var results: [CrowdResult] = []
        var waiter: (count: Int, continuation: CheckedContinuation<[CrowdResult], Never>)?
    }

    init(_ key: ExecKey, _ service: Service, _ pattern: CrowdPattern) throws {
        group = try EventLoopGroup(count: 2, name: "crowd")
        (self.key, self.service, self.pattern) = (key, service, pattern)
    }

    func add(_ manner: CrowdManner) {
        CrowdViewer(
            of: key,
            at: .tcp(host: "127.0.0.1", port: service.port),
            token: service.token,
            manner: manner,
            pattern: pattern,
            loop: group.next(),
        ) { [self] result in add(result) }.begin()
    }

    /// Waits for `count` viewers to end.
    func results(_ count: Int) async -> [CrowdResult] {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> [CrowdResult]? in
                if state.results.count >= count { return state.results }
                state.waiter = (count, continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    func end() { group.shutdown() }

    private func add(_ result: CrowdResult) {
        let ready = state.withLock { state in
            state.results.append(result)
            guard let waiter = state.waiter, state.results.count >= waiter.count else {
                return CheckedContinuation<[CrowdResult], Never>?.none
            }
            state.waiter = nil
            return waiter.continuation
        }
        if let ready { ready.resume(returning: state.withLock { $0.results }) }
    }
}
