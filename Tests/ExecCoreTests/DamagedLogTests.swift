import ExecModel
import Glibc
import Kernel
import Testing

@testable import ExecCore

@Suite("A damaged log", .timeLimit(.minutes(2)))
struct DamagedLogTests {
    private static let texts: [(ExecStream, String)] = [
        (.stdout, "first "), (.stderr, "error"), (.stdout, "second "), (.stdout, "third"),
        (.stderr, " and more"), (.stdout, " last"),
    ]

    private func registry(in directory: String) -> ExecSessionRegistry {
        var configuration = RegistryConfiguration(stateDirectory: directory)
        // All but the newest chunk comes out of the file.
        configuration.ringChunksMax = 1
        return ExecSessionRegistry(configuration: configuration, clocks: FakeClocks())
    }

    /// A log as a server leaves it, and the instance that has it.
    private func makeLog(in directory: String) throws -> (instance: ExecInstance, path: String) {
        let instance = try registry(in: directory).register(try ExecKey(container: "c", exec: "e"))
        for (stream, text) in Self.texts {
            (stream == .stdout ? instance.stdout : instance.stderr).write(
                Array(text.utf8).span.bytes
            )
        }
        return (instance, "\(directory)/execs/c/e")
    }

    /// What a viewer is given: the chunks by their sequences, and whether it came to the end.
    private struct Seen {
        var chunks: [UInt64: String] = [:]
        var isLoss = false
        var exit: Exit?
    }

    private func view(_ instance: ExecInstance, from: View.From = .start) throws -> Seen {
        var seen = Seen()
        var view = View()
        view.from = from
        let viewer: ExecViewer
        do throws(ExecError) {
            viewer = try instance.attach(view, waker: FakeWaker()).viewer
        } catch {
            #expect(error.code == .dataLoss)
            seen.isLoss = true
            return seen
        }
        defer { viewer.detach() }
        let batch = ViewerBatch()
        while true {
            batch.removeAll()
            let pull = viewer.pull(into: batch, bytesMax: 1 << 16)
            for chunk in batch.chunks {
                let text =
                    "\(chunk.stream) \(chunk.offset) "
                    + String(decoding: chunk.bytes, as: UTF8.self)
                seen.chunks[chunk.sequence] = text
            }
            switch pull {
            case .chunks, .gap: continue
            case .unreadable: seen.isLoss = true
            case .end(let exit): seen.exit = exit
            default: break
            }
            return seen
        }
    }

    /// What was written, as a viewer is given it.
    private static let whole: [UInt64: String] = {
        var offsets = StreamOffsets()
        var chunks: [UInt64: String] = [:]
        for (number, (stream, text)) in texts.enumerated() {
            chunks[UInt64(number + 1)] = "\(stream) \(offsets[stream]) \(text)"
            offsets[stream] += UInt64(text.utf8.count)
        }
        return chunks
    }()

    private static let views: [View.From] = [.start, .after(sequence: 3), .tail(bytes: 12)]

    /// Each of what a viewer was given is what was written under that sequence, or is nothing.
    private func expectTruth(_ seen: Seen, _ what: String) {
        for (sequence, text) in seen.chunks {
            #expect(text == Self.whole[sequence], "\(what): chunk \(sequence)")
        }
    }

    @Test("gives nobody wrong bytes, whichever bit of its index is another")
    func everyBit() throws {
        try withDirectory { directory in
            let (instance, path) = try makeLog(in: directory)
            let index = try Files.open("\(path)/index", .readWrite)
            let right = try Files.readSmall("\(path)/index", max: 999)
            var losses = 0
            for bit in 0..<right.count * 8 {
                var wrong = right
                wrong[bit / 8] ^= 1 << UInt8(bit % 8)
                try index.pwrite(wrong.span.bytes, at: 0)
                for from in Self.views {
                    let seen = try view(instance, from: from)
                    expectTruth(seen, "bit \(bit), \(from)")
                    if seen.isLoss { losses += 1 }
                    // Those before it are there.
                    if from == .start, bit / 192 < 5 {
                        #expect(seen.isLoss && seen.chunks.count == bit / 192, "bit \(bit)")
                    }
                }
            }
            #expect(losses > right.count * 8)
            try index.pwrite(right.span.bytes, at: 0)
            #expect(try view(instance).chunks == Self.whole)
            instance.finish(code: 0)
        }
    }

    @Test("is taken over with the numbers that it had, whichever bit of its index is another")
    func everyBitAtStart() throws {
        for bit in 0..<Self.texts.count * 192 {
            try withDirectory { directory in
                let (_, path) = try makeLog(in: directory)
                let index = try Files.open("\(path)/index", .readWrite)
                var bytes = try Files.readSmall("\(path)/index", max: 999)
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                try index.pwrite(bytes.span.bytes, at: 0)
                let registry = registry(in: directory)
                #expect(registry.adoptLeftovers().adopted == 1)
                let instance = try registry.instance(try ExecKey(container: "c", exec: "e"))
                let isLast = bit / 192 == Self.texts.count - 1
                for from in Self.views {
                    var seen = try view(instance, from: from)
                    // The last record may have been cut by a crash: its bytes are a chunk again.
                    if isLast, let last = seen.chunks.removeValue(forKey: 6) {
                        #expect(last == Self.whole[6])
                    }
                    // What has no record any more may be there again behind the last chunk.
                    seen.chunks[7] = nil
                    seen.chunks[8] = nil
                    expectTruth(seen, "bit \(bit), \(from)")
                }
                if !isLast {
                    let message = instance.exit?.message ?? ""
                    #expect(message.contains("1 chunks of its log can't be read"), "bit \(bit)")
                }
            }
        }
    }

    @Test("of a version without checks is read, and no record that does not follow is believed")
    func withoutChecks() throws {
        try withDirectory { directory in
            let (instance, path) = try makeLog(in: directory)
            let index = try Files.open("\(path)/index", .readWrite)
            var right = try Files.readSmall("\(path)/index", max: 999)
            for record in 0..<Self.texts.count {
                for byte in 13...15 { right[record * 24 + byte] = 0 }
            }
            try index.pwrite(right.span.bytes, at: 0)
            #expect(try view(instance).chunks == Self.whole)
            // Every bit of the offsets.
            for bit in 0..<right.count * 8 where bit / 8 % 24 < 8 {
                var wrong = right
                wrong[bit / 8] ^= 1 << UInt8(bit % 8)
                try index.pwrite(wrong.span.bytes, at: 0)
                for from in Self.views {
                    expectTruth(try view(instance, from: from), "bit \(bit), \(from)")
                }
            }
            try index.pwrite(right.span.bytes, at: 0)
            instance.finish(code: 0)
        }
    }

    /// Whole records that belong elsewhere, or tell of more than there is.
    private static let foreign: [IndexRecord] = [
        IndexRecord(offset: .max, length: 5, stream: .stdout, unixNS: 1),
        IndexRecord(offset: .max - 4, length: 5, stream: .stdout, unixNS: 1),
        IndexRecord(offset: UInt64(Int64.max), length: 1, stream: .stdout, unixNS: .min),
        IndexRecord(offset: 6, length: .max, stream: .stdout, unixNS: 1),
        IndexRecord(offset: 6, length: 65_537, stream: .stdout, unixNS: 1),
        IndexRecord(offset: 6, length: 65_536, stream: .stdout, unixNS: 1),
        IndexRecord(offset: 6, length: 0, stream: .stdout, unixNS: 1),
        IndexRecord(offset: 0, length: 6, stream: .stdout, unixNS: 1),
        IndexRecord(offset: 7, length: 6, stream: .stdout, unixNS: 1),
    ]

    @Test(
        "whose record tells of what is not there ends neither viewer nor server",
        arguments: foreign
    )
    func foreignRecord(record: IndexRecord) throws {
        try withDirectory { directory in
            let (instance, path) = try makeLog(in: directory)
            var bytes: [UInt8] = []
            record.append(to: &bytes, as: 3)
            try Files.open("\(path)/index", .readWrite).pwrite(bytes.span.bytes, at: 48)
            for from in Self.views {
                let seen = try view(instance, from: from)
                expectTruth(seen, "\(record), \(from)")
                if from == .start { #expect(seen.isLoss && seen.chunks.count == 2) }
            }
            instance.finish(code: 0)
        }
    }

    @Test("is not trimmed by a record that is wrong, and the exit says so")
    func trimming() throws {
        try withDirectory { directory in
            let limited = try LimitedLog(in: directory, limit: 100_000)
            for _ in 0..<10 { limited.write(5_000, as: .stdout) }
            var bytes: [UInt8] = []
            IndexRecord(
                offset: UInt64(Int64.max) - (1 << 33),
                length: 5,
                stream: .stdout,
                unixNS: 1
            )
            .append(to: &bytes, as: 1)
            try limited.files().withIndex { try $0.pwrite(bytes.span.bytes, at: 0) }
            for _ in 0..<30 { limited.write(5_000, as: .stdout) }
            let exit = limited.instance.finish(code: 0)
            #expect(exit.message.contains("could not be kept within its limit"))
        }
    }

    @Test("is set aside where what it says of its trimmed part is not what was written")
    func trimmed() throws {
        let trim = LogTrim(
            through: 60,
            offsets: StreamOffsets(stdout: 40 * 50, stderr: 20 * 50),
            recordsThrough: 50
        )
        for bit in 0..<trim.bytes.count * 8 {
            try withDirectory { directory in
                let limited = try LimitedLog(in: directory, limit: 0)
                for number in 0..<100 {
                    limited.write(50, as: number % 3 == 1 ? .stderr : .stdout)
                }
                var bytes = trim.bytes
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                try Files.writeAtomically("\(directory)/execs/c/e/trimmed", bytes)
                let leftovers = LimitedLog.registry(in: directory).adoptLeftovers()
                #expect(leftovers.adopted == 0, "bit \(bit)")
                #expect(leftovers.unreadable.map(\.isSetAside) == [true], "bit \(bit)")
            }
        }
    }
}
