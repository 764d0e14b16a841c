import ExecModel
import Glibc
import Synchronization
import Testing

@testable import ExecCore

@Suite("A viewer's place in a long log", .timeLimit(.minutes(3)))
struct WaypointTests {
    /// Writes `count` chunks of 1 to 3 bytes, few of them to stderr; returns how far each had come.
    private func write(_ count: Int, to instance: ExecInstance) -> [StreamOffsets] {
        var random = SeededGenerator(seed: 3)
        var offsets = StreamOffsets()
        return (0..<count).map { _ in
            let stream: ExecStream = random.oneIn(700) ? .stderr : .stdout
            let length = 1 + random.below(3)
            let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
            switch stream {
            case .stdout: instance.stdout.write(bytes.span.bytes)
            case .stderr: instance.stderr.write(bytes.span.bytes)
            }
            offsets[stream] += UInt64(length)
            return offsets
        }
    }

    private func withInstance(_ body: (ExecInstance, ExecSessionRegistry) throws -> Void) throws {
        try withDirectory { directory in
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: directory)
            )
            try body(
                try registry.register(try ExecKey(container: "c", exec: "e")),
                registry
            )
        }
    }

    private func cursor(_ instance: ExecInstance, _ from: View.From) throws -> ViewerCursor {
        var view = View()
        view.from = from
        let viewer = try instance.attach(view, waker: FakeWaker()).viewer
        defer { viewer.detach() }
        return viewer.cursor
    }

    private func check(_ instance: ExecInstance, _ offsets: [StreamOffsets]) throws {
        let count = UInt64(offsets.count)
        let total = offsets.last?.total ?? 0
        var random = SeededGenerator(seed: 5)
        var places: [UInt64] = [1, 2, 1_023, 1_024, 1_025, 1_026, 2_048, 2_049, count - 1, count]
        places += (0..<60).map { _ in 1 + UInt64(random.below(offsets.count)) }
        for place in places {
            let after = try cursor(instance, .after(sequence: place))
            #expect(after.next == place + 1)
            #expect(after.offsets == offsets[Int(place) - 1])
            // So many bytes stand behind that place.
            let rest = total - offsets[Int(place) - 1].total
            let tail = try cursor(instance, .tail(bytes: rest))
            #expect(tail.next == place + 1)
            #expect(tail.offsets == offsets[Int(place) - 1])
        }
        let all = try cursor(instance, .tail(bytes: .max))
        #expect(all.next == 1 && all.offsets == StreamOffsets())
    }

    @Test("is exact, wherever it is")
    func exact() throws {
        try withInstance { instance, _ in
            let offsets = write(5_000, to: instance)
            #expect(instance.state.withLock { $0.waypoints.count } >= 4)
            try check(instance, offsets)
            instance.finish(code: 0)
            try check(instance, offsets)
        }
    }

    @Test("is exact in a log that an earlier server has left")
    func recovered() throws {
        try withDirectory { directory in
            let configuration = RegistryConfiguration(stateDirectory: directory)
            let key = try ExecKey(container: "c", exec: "e")
            let offsets = write(
                5_000,
                to: try ExecSessionRegistry(configuration: configuration).register(key)
            )
            let next = ExecSessionRegistry(configuration: configuration)
            _ = next.adoptLeftovers()
            let instance = try next.instance(key)
            #expect(instance.state.withLock { $0.waypoints.count } >= 4)
            try check(instance, offsets)
        }
    }

    @Test("is found at a cost that does not follow the log's length", arguments: [false, true])
    func cost(ofTail: Bool) throws {
        func seconds(_ count: Int) throws -> Double {
            var least = Double.infinity
            try withInstance { instance, _ in
                _ = write(count, to: instance)
                for _ in 0..<5 {
                    let begin = threadSeconds()
                    for _ in 0..<10 {
                        _ = try cursor(instance, ofTail ? .tail(bytes: .max) : .after(sequence: 1))
                    }
                    least = min(least, threadSeconds() - begin)
                }
            }
            return least
        }
        let short = try seconds(3_000)
        #expect(try seconds(60_000) < short * 6)
    }

    @Test("needs no more than so many waypoints, which are farther apart in a longer log")
    func bounded() throws {
        var waypoints = LogWaypoints()
        let count: UInt64 = 40_000_000
        for sequence in stride(from: UInt64(4), through: count, by: 4) {
            waypoints.pass(sequence, StreamOffsets(stdout: sequence * 2, stderr: sequence))
        }
        #expect(waypoints.count < LogWaypoints.countMax)
        for sequence in stride(from: UInt64(1), to: count, by: 1_234_567) {
            guard let found = waypoints.first(notBefore: sequence) else { continue }
            #expect(found.sequence >= sequence && found.sequence - sequence <= waypoints.spacing)
            #expect(found.offsets.total == found.sequence * 3)
        }
    }

    private func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
