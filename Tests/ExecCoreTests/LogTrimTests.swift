import ExecModel
import Glibc
import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("A log with a limit", .timeLimit(.minutes(2)))
struct LogTrimTests {
    @Test("takes that of the disk and a chunk at most, and keeps the newest", arguments: [1, 0])
    func disk(ofStderr: Int) throws {
        try withDirectory { directory in
            let limited = try LimitedLog(in: directory, limit: 1 << 20)
            for number in 0..<400 {
                limited.write(20_000, as: number % 3 == ofStderr ? .stderr : .stdout)
                // Each file may take one block more than its bytes fill.
                #expect(try limited.diskBytes() <= (1 << 20) + (64 << 10) + (3 << 12))
            }
            let trim = limited.instance.state.withLock { $0.trim }
            #expect(trim.through > 300)
            for stream in ExecStream.allCases {
                let size = try limited.files().withFile(of: stream) { try $0.size }
                #expect(size == limited.totals[stream])
            }
            let seen = try limited.view(View())
            #expect(
                seen.gaps == [
                    Gap(
                        firstSequence: 1,
                        lastSequence: trim.through,
                        stdoutBytes: trim.offsets.stdout,
                        stderrBytes: trim.offsets.stderr
                    )
                ]
            )
            #expect(seen.firstSequence == trim.through + 1)
            #expect(seen.chunks == Array((trim.through + 1)...400))
        }
    }

    @Test("of the smallest chunks trims its index as well, and tells what it can: exactly")
    func index() throws {
        try withDirectory { directory in
            let limited = try LimitedLog(in: directory, limit: 1 << 20)
            for _ in 0..<100_000 { limited.write(1, as: .stdout) }
            #expect(try limited.diskBytes() <= (1 << 20) + (3 << 12))
            let trim = limited.instance.state.withLock { $0.trim }
            #expect(trim.recordsThrough > 0)
            #expect(trim.recordsThrough < trim.through)
            // Where the record is there, the gap begins with what was asked for.
            for after in [trim.recordsThrough, trim.recordsThrough + 1, trim.through - 1] {
                var view = View()
                view.from = .after(sequence: after)
                let gap = try limited.view(view).gaps.first
                #expect(gap?.firstSequence == after + 1)
                #expect(gap?.stdoutBytes == trim.through - after)
            }
            // Where it is not, with the first.
            for from in [View.From.after(sequence: trim.recordsThrough - 1), .tail(bytes: 99_000)] {
                var view = View()
                view.from = from
                let gap = try limited.view(view).gaps.first
                #expect(gap?.firstSequence == 1)
                #expect(gap?.lastSequence == trim.through)
                #expect(gap?.stdoutBytes == trim.offsets.stdout)
            }
        }
    }

    @Test("gives the viewers that it overtakes a gap, never zeros")
    func overtaken() async throws {
        let directory = try Files.makeTemporaryDirectory(in: "/dev/shm", prefix: "execstream-core-")
        defer { try? Files.removeTree(directory) }
        let limited = try LimitedLog(in: directory, limit: 64 << 10)
        let instance = limited.instance
        async let writing: Void = Task.detached {
            var offset = 0
            for _ in 0..<20_000 {
                instance.stdout.write(LimitedLog.pattern(from: offset, 2_000).span.bytes)
                offset += 2_000
            }
            instance.finish(code: 0)
        }.value
        var overtakes = 0
        while instance.exit == nil {
            let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
            defer { viewer.detach() }
            let batch = ViewerBatch()
            var gaps = 0
            // Each begins at the oldest chunk there is: the next that goes.
            for _ in 0..<20 {
                batch.removeAll()
                if case .gap = viewer.pull(into: batch, bytesMax: 32 << 10) { gaps += 1 }
                for chunk in batch.chunks {
                    let expected = LimitedLog.pattern(from: Int(chunk.offset), chunk.count)
                    try #require(chunk.bytes == expected, "chunk \(chunk.sequence)")
                }
            }
            if gaps > 1 { overtakes += 1 }
        }
        await writing
        #expect(overtakes > 0, "nobody was overtaken: this has shown nothing")
    }

    @Test("cut short at any step of a trim is taken over as it then is", arguments: 0...4)
    func recovery(step: Int) throws {
        try withDirectory { directory in
            let limited = try LimitedLog(in: directory, limit: 0)
            for number in 0..<100 { limited.write(5_000, as: number % 3 == 1 ? .stderr : .stdout) }
            let trim = LogTrim(
                through: 60,
                offsets: StreamOffsets(stdout: 40 * 5_000, stderr: 20 * 5_000),
                recordsThrough: 50
            )
            // The file is made, written, and then each of the three is punched.
            let path = "\(directory)/execs/c/e"
            try Files.open("\(path)/trimmed", .readWriteCreate(permissions: 0o600)).close()
            if step > 0 { try limited.instance.log.write(trim) }
            let files = try limited.files()
            if step > 1 {
                try files.withFile(of: .stdout) { try $0.punchHole(at: 0, count: 200_000) }
            }
            if step > 2 { try files.punch(trim) }
            if step > 3 { try files.withIndex { try $0.truncate(to: 70 * 24) } }

            let registry = LimitedLog.registry(in: directory)
            #expect(registry.adoptLeftovers().adopted == 1)
            let adopted = try registry.instance(limited.instance.key)
            let seen = try LimitedLog.view(View(), of: adopted)
            if step == 0 {
                #expect(seen.gaps.isEmpty)
                #expect(seen.chunks == Array(1...100))
                return
            }
            #expect(
                seen.gaps == [
                    Gap(
                        firstSequence: 1,
                        lastSequence: 60,
                        stdoutBytes: 200_000,
                        stderrBytes: 100_000
                    )
                ]
            )
            // Without their records the last 30 are one chunk for each 64 KiB of a stream.
            #expect(seen.chunks == Array(61...(step > 3 ? 73 : 100)))
            #expect(seen.bytes == 200_000)
            #expect(seen.firstSequence == 61)
            for stream in ExecStream.allCases {
                let slab = Slab(capacity: 1)
                let last = trim.offsets[stream] - 1
                _ = try files.withFile(of: stream) { try slab.append(from: $0, at: last, count: 1) }
                #expect(slab.withBytes(at: 0, count: 1) { $0.unsafeLoad(as: UInt8.self) } == 0)
            }
        }
    }

    @Test("on a file system without holes is kept whole, and the exit says so")
    func withoutHoles() throws {
        guard geteuid() == 0 else { return }
        try withDirectory { directory in
            // Not allowed to mount here: a container without that right.
            guard mount("none", directory, "ramfs", 0, nil) == 0 else { return }
            defer { umount2(directory, Int32(MNT_DETACH)) }
            let limited = try LimitedLog(in: directory, limit: 100_000)
            for _ in 0..<100 { limited.write(5_000, as: .stdout) }
            let exit = limited.instance.finish(code: 0)
            #expect(exit.message.contains("could not be kept within its limit"))
            #expect(exit.message.contains("EOPNOTSUPP"))
            let seen = try limited.view(View())
            #expect(seen.gaps.isEmpty)
            #expect(seen.bytes == 500_000)
        }
    }

    @Test("keeps to it after the exit, when what comes is shown to nobody")
    func lateOutput() throws {
        try withDirectory { directory in
            let limited = try LimitedLog(in: directory, limit: 100_000)
            for _ in 0..<50 { limited.write(5_000, as: .stdout) }
            limited.instance.finish(code: 0)
            for _ in 0..<100 {
                limited.write(5_000, as: .stderr)
                #expect(try limited.diskBytes() <= 100_000 + 5_000 + (3 << 12))
            }
            let seen = try limited.view(View())
            #expect(seen.chunks.last == 50)
            #expect(seen.exit?.stderrBytes == 0)
        }
    }
}

/// An exec whose log has a limit, written with bytes that say where in their stream they are.
final class LimitedLog {
    let instance: ExecInstance
    private(set) var totals = StreamOffsets()

    static func registry(in directory: String) -> ExecSessionRegistry {
        var configuration = RegistryConfiguration(stateDirectory: directory)
        configuration.ringChunksMax = 1
        return ExecSessionRegistry(configuration: configuration, clocks: FakeClocks())
    }

    init(in directory: String, limit: UInt64) throws {
        let registry = Self.registry(in: directory)
        instance = try registry.limited(try ExecKey(container: "c", exec: "e"), limit)
    }

    /// None of these is 0.
    static func pattern(from offset: Int, _ count: Int) -> [UInt8] {
        (offset..<(offset + count)).map { UInt8(1 + $0 % 251) }
    }

    func write(_ count: Int, as stream: ExecStream) {
        let bytes = Self.pattern(from: Int(totals[stream]), count)
        (stream == .stdout ? instance.stdout : instance.stderr).write(bytes.span.bytes)
        totals[stream] += UInt64(count)
    }

    func files() throws -> LogFiles { try instance.log.files() }

    func diskBytes() throws -> UInt64 {
        let files = try files()
        return try ExecStream.allCases.reduce(files.withIndex { try $0.diskBytes }) { sum, stream in
            try sum + files.withFile(of: stream) { try $0.diskBytes }
        }
    }

    struct Seen {
        var firstSequence: UInt64
        var gaps: [Gap] = []
        var chunks: [UInt64] = []
        var bytes = 0
        var exit: Exit?
    }

    func view(_ view: View) throws -> Seen { try Self.view(view, of: instance) }

    /// All that a viewer is given until it has caught up; its bytes are those that were written.
    static func view(_ view: View, of instance: ExecInstance) throws -> Seen {
        let attachment = try instance.attach(view, waker: FakeWaker())
        defer { attachment.viewer.detach() }
        let batch = ViewerBatch()
        var seen = Seen(firstSequence: attachment.firstSequence)
        while true {
            batch.removeAll()
            switch attachment.viewer.pull(into: batch, bytesMax: 1 << 20) {
            case .chunks: break
            case .gap(let gap): seen.gaps.append(gap)
            case .caughtUp: return seen
            case .end(let exit):
                seen.exit = exit
                return seen
            case let other:
                Issue.record("\(other)")
                return seen
            }
            for chunk in batch.chunks {
                try #require(chunk.bytes == pattern(from: Int(chunk.offset), chunk.count))
                seen.chunks.append(chunk.sequence)
                seen.bytes += chunk.count
            }
        }
    }
}

extension ExecSessionRegistry {
    /// An exec that runs nowhere, with a limit that may be less than a command's.
    func limited(_ key: ExecKey, _ logBytesMax: UInt64) throws -> ExecInstance {
        var command = Command(["none"])
        command.limits.logBytesMax = logBytesMax
        let instance = make(key, command: command, labels: [:])
        _ = try enter(instance)
        return instance
    }
}
