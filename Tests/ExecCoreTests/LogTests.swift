import ExecModel
import Glibc
import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("The log")
struct LogTests {
    private func registry(
        in directory: String,
        configure: (inout RegistryConfiguration) -> Void = { _ in },
    ) -> ExecSessionRegistry {
        var configuration = RegistryConfiguration(stateDirectory: directory)
        configure(&configuration)
        return ExecSessionRegistry(configuration: configuration, clocks: FakeClocks())
    }

    /// Writes a log of three chunks as a server would that is killed after it.
    private func leaveLog(in directory: String) throws -> String {
        let instance = try registry(in: directory).register(
            try ExecKey(container: "c", exec: "e")
        )
        instance.stdout.write(Array("first ".utf8).span.bytes)
        instance.stderr.write(Array("error".utf8).span.bytes)
        instance.stdout.write(Array("second".utf8).span.bytes)
        return "\(directory)/execs/c/e"
    }

    /// What a viewer of the adopted exec is given.
    private func adopted(in directory: String) throws -> (texts: [String], exit: Exit?) {
        let registry = registry(in: directory)
        #expect(registry.adoptLeftovers().adopted == 1)
        let instance = try registry.instance(try ExecKey(container: "c", exec: "e"))
        let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
        defer { viewer.detach() }
        let batch = ViewerBatch()
        var texts: [String] = []
        while true {
            batch.removeAll()
            let pull = viewer.pull(into: batch, bytesMax: 1 << 16)
            texts += batch.chunks.map {
                "\($0.stream) \(String(decoding: $0.bytes, as: UTF8.self))"
            }
            switch pull {
            case .end(let exit): return (texts, exit)
            case .chunks where batch.chunks.isEmpty, .caughtUp, .unreadable: return (texts, nil)
            default: break
            }
        }
    }

    @Test("is byte for byte what was written, with 24 bytes a chunk in the index")
    func files() throws {
        try withDirectory { directory in
            let log = try leaveLog(in: directory)
            #expect(try Files.readSmall("\(log)/stdout", max: 99) == Array("first second".utf8))
            #expect(try Files.readSmall("\(log)/stderr", max: 99) == Array("error".utf8))
            let index = try Files.readSmall("\(log)/index", max: 99)
            #expect(index.count == 72)
            let last = IndexRecord(index.span.bytes, at: 48, of: 3)
            #expect(last?.offset == 6)
            #expect(last?.length == 6)
            #expect(last?.stream == .stdout)
        }
    }

    @Test("that an earlier server left is served, with an exit that says what is not known")
    func adoption() throws {
        try withDirectory { directory in
            _ = try leaveLog(in: directory)
            let (texts, exit) = try adopted(in: directory)
            #expect(texts == ["stdout first ", "stderr error", "stdout second"])
            #expect(exit?.reason == .runtimeError)
            #expect(exit?.lastSequence == 3)
        }
    }

    @Test("is completed where its index is behind, wherever that was cut", arguments: 0...72)
    func recovery(indexBytes: UInt64) throws {
        try withDirectory { directory in
            let log = try leaveLog(in: directory)
            try Files.open("\(log)/index", .readWriteCreate(permissions: 0o600))
                .truncate(to: indexBytes)
            let (texts, exit) = try adopted(in: directory)
            let stdout = texts.filter { $0.hasPrefix("stdout") }.map { $0.dropFirst(7) }.joined()
            let stderr = texts.filter { $0.hasPrefix("stderr") }.map { $0.dropFirst(7) }.joined()
            #expect(stdout == "first second")
            #expect(stderr == "error")
            #expect(exit?.stdoutBytes == 12)
            #expect(exit?.stderrBytes == 5)
            #expect(try Files.readSmall("\(log)/index", max: 999).count % 24 == 0)
        }
    }

    /// What may stand behind the first of three records, and is none.
    private static let noRecords: [[UInt8]] = [
        // Zeroes, as a file system may leave them after a power cut.
        [UInt8](repeating: 0, count: 48),
        [UInt8](repeating: 0xff, count: 48),
        // A stream that there is not.
        [0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]

    @Test(
        "whose index holds what is no record is kept, and completed from there on",
        arguments: noRecords
    )
    func noRecord(bytes: [UInt8]) throws {
        try withDirectory { directory in
            let log = try leaveLog(in: directory)
            let index = try Files.open("\(log)/index", .readWriteCreate(permissions: 0o600))
            try index.truncate(to: 24)
            try index.pwrite(bytes.span.bytes, at: 24)
            let (texts, exit) = try adopted(in: directory)
            #expect(texts == ["stdout first ", "stdout second", "stderr error"])
            #expect(exit?.lastSequence == 3)
        }
    }

    @Test("that an earlier server left empty leaves no exec behind")
    func empty() throws {
        try withDirectory { directory in
            let log = "\(directory)/execs/c/e"
            try Files.makeDirectories(log, permissions: 0o700)
            for name in ["stdout", "stderr", "index"] {
                _ = try Files.open("\(log)/\(name)", .readWriteCreate(permissions: 0o600))
            }
            let registry = registry(in: directory)
            #expect(registry.adoptLeftovers().adopted == 0)
            #expect(throws: ExecError.self) {
                try registry.instance(try ExecKey(container: "c", exec: "e"))
            }
            #expect(!Files.exists(log))
        }
    }

    /// Writes a log that can't be read.
    private func leaveUnreadableLog(in directory: String) throws -> String {
        let log = try leaveLog(in: directory)
        try Files.remove("\(log)/index")
        try Files.makeDirectories("\(log)/index", permissions: 0o700)
        return log
    }

    @Test("that can't be read when the next server starts is set aside, and not lost")
    func unreadable() throws {
        try withDirectory { directory in
            let log = try leaveUnreadableLog(in: directory)
            let registry = registry(in: directory)
            let leftovers = registry.adoptLeftovers()
            #expect(leftovers.adopted == 0)
            #expect(leftovers.unreadable.map(\.path) == [log])
            #expect(leftovers.unreadable.map(\.isSetAside) == [true])
            #expect(registry.instances().isEmpty)
            #expect(!Files.exists(log))
            let kept = try #require(try Files.list(registry.unreadableDirectory).first)
            let bytes = try Files.readSmall(
                "\(registry.unreadableDirectory)/\(kept)/c/e/stdout",
                max: 99
            )
            #expect(bytes == Array("first second".utf8))
            // Its name is free.
            _ = try registry.register(try ExecKey(container: "c", exec: "e"))
        }
    }

    @Test("that can't be read is set aside also where its names are as long as they may be")
    func longNames() throws {
        try withDirectory { directory in
            let name = String(repeating: "n", count: 128)
            let log = "\(directory)/execs/\(name)/\(name)"
            try Files.makeDirectories("\(log)/index", permissions: 0o700)
            let leftovers = registry(in: directory).adoptLeftovers()
            #expect(leftovers.unreadable.map(\.path) == [log])
            #expect(leftovers.unreadable.map(\.isSetAside) == [true])
        }
    }

    @Test("that can't be read nor set aside stays where it is, for the next server")
    func notSetAside() throws {
        try withDirectory { directory in
            let log = try leaveUnreadableLog(in: directory)
            let registry = registry(in: directory)
            try Files.writeAtomically(registry.unreadableDirectory, [])
            let leftovers = registry.adoptLeftovers()
            #expect(leftovers.unreadable.map(\.path) == [log])
            #expect(leftovers.unreadable.map(\.isSetAside) == [false])
            #expect(try Files.readSmall("\(log)/stdout", max: 99) == Array("first second".utf8))
            // No other exec writes over it, until somebody has seen to it.
            let key = try ExecKey(container: "c", exec: "e")
            do throws(ExecError) {
                _ = try registry.register(key)
                Issue.record("the name was free")
            } catch {
                #expect(error.code == .failedPrecondition)
                #expect(error.message.contains(log))
            }
            let other = try registry.register(try ExecKey(container: "c", exec: "other"))
            try other.stdout.write("its own")
            try Files.rename(log, to: "\(directory)/elsewhere")
            try registry.register(key).stdout.write("new")
            #expect(throws: ExecError.self) { try registry.register(key) }
            try registry.unregister(key)
            _ = try registry.register(key)
        }
    }

    @Test("of a new exec begins empty, whatever lies in its place")
    func place() throws {
        try withDirectory { directory in
            let log = try leaveLog(in: directory)
            try Files.writeAtomically("\(log)/trimmed", LogTrim(through: 1).bytes)
            let registry = registry(in: directory)
            let instance = try registry.register(try ExecKey(container: "c", exec: "e"))
            try instance.stdout.write("new")
            #expect(try Files.readSmall("\(log)/stdout", max: 99) == Array("new".utf8))
            #expect(try Files.readSmall("\(log)/stderr", max: 99) == [])
            #expect(try Files.readSmall("\(log)/index", max: 99).count == 24)
            #expect(!Files.exists("\(log)/trimmed"))
            // Opened again after its exit it is what it was.
            instance.finish(code: 0)
            try instance.stdout.write("late")
            #expect(try Files.readSmall("\(log)/stdout", max: 99) == Array("newlate".utf8))
        }
    }

    @Test("that can't be moved out of its place when it is forgotten is deleted there")
    func notMoved() throws {
        try withDirectory { directory in
            let store = LogStore(path: directory)
            let log = ExecLog(.named(container: "c", exec: "e"), in: store)
            let files = try log.files()
            // A directory that is not empty: nothing can be renamed to its place.
            try Files.makeDirectories("\(directory)/execs/trash/taken", permissions: 0o700)
            log.forget(movingTo: "trash")
            #expect(!Files.exists("\(directory)/execs/c"))
            #expect(try files.withIndex { try $0.size } == 0)
        }
    }

    @Test("that can't be opened for want of descriptors is not taken for lost")
    func noDescriptors() async {
        await #expect(processExitsWith: .success) {
            try withDirectory { directory in
                let configuration = RegistryConfiguration(stateDirectory: directory)
                let registry = ExecSessionRegistry(
                    configuration: configuration,
                    clocks: FakeClocks()
                )
                let instance = try registry.register(try ExecKey(container: "c", exec: "e"))
                try instance.stdout.write("text")
                instance.finish(code: 0)
                var view = View()
                view.from = .tail(bytes: 10)
                let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
                var usual = rlimit()
                getrlimit(resource, &usual)
                var none = rlimit(rlim_cur: 0, rlim_max: usual.rlim_max)
                setrlimit(resource, &none)
                var code: ExecError.Code?
                do throws(ExecError) {
                    try instance.attach(view, waker: FakeWaker()).viewer.detach()
                } catch {
                    code = error.code
                }
                setrlimit(resource, &usual)
                if code != .unavailable { abort() }
                try instance.attach(view, waker: FakeWaker()).viewer.detach()
            }
        }
    }

    @Test("that has no exec's name is set aside as well")
    func noName() throws {
        try withDirectory { directory in
            let log = "\(directory)/execs/c/a name"
            try Files.makeDirectories(log, permissions: 0o700)
            let registry = registry(in: directory)
            #expect(registry.adoptLeftovers().unreadable.map(\.path) == [log])
            #expect(try Files.list(registry.unreadableDirectory).count == 1)
        }
    }

    @Test("is taken over from an earlier server, however few execs this one keeps")
    func overTheBounds() throws {
        try withDirectory { directory in
            let earlier = registry(in: directory)
            for name in ["a", "b", "c"] {
                let instance = try earlier.register(try ExecKey(container: "c", exec: name))
                instance.stdout.write(Array("text".utf8).span.bytes)
            }
            let registry = registry(in: directory) { $0.instancesMax = 2 }
            #expect(registry.adoptLeftovers().adopted == 3)
            #expect(registry.instances().compactMap(\.exit?.stdoutBytes) == [4, 4, 4])
            #expect(throws: ExecError.self) {
                try registry.register(try ExecKey(container: "c", exec: "d"))
            }
        }
    }

    @Test("is waited for once by a viewer, however often that asks")
    func parking() throws {
        try withDirectory { directory in
            let instance = try registry(in: directory).register(
                try ExecKey(container: "c", exec: "e")
            )
            let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
            defer { viewer.detach() }
            let batch = ViewerBatch()
            for round in 1...3 {
                for _ in 0..<100 {
                    while true {
                        batch.removeAll()
                        if case .caughtUp = viewer.pull(into: batch, bytesMax: 99) { break }
                    }
                }
                #expect(instance.state.withLock { $0.parked.count } == 1, "round \(round)")
                instance.stdout.write(Array("more".utf8).span.bytes)
            }
        }
    }

    @Test("whose index has a chunk larger than any is completed in chunks that can be sent")
    func tooLong() throws {
        try withDirectory { directory in
            let log = try leaveLog(in: directory)
            try Files.open("\(log)/stdout", .readWriteCreate(permissions: 0o600))
                .truncate(to: 70_000)
            var record: [UInt8] = []
            IndexRecord(offset: 0, length: 70_000, stream: .stdout, unixNS: 1)
                .append(to: &record, as: 1)
            let index = try Files.open("\(log)/index", .readWriteCreate(permissions: 0o600))
            try index.truncate(to: 0)
            try index.pwrite(record.span.bytes, at: 0)
            let (texts, exit) = try adopted(in: directory)
            #expect(texts.count == 3)
            #expect(exit?.stdoutBytes == 70_000)
        }
    }

    @Test("that can't be written stops neither the exec nor its viewers, and is told in the exit")
    func unwritable() throws {
        let configuration = RegistryConfiguration(stateDirectory: "/dev/null/none")
        let registry = ExecSessionRegistry(configuration: configuration, clocks: FakeClocks())
        let instance = try registry.register(try ExecKey(container: "c", exec: "e"))
        let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
        defer { viewer.detach() }
        let batch = ViewerBatch()
        var count = 0
        for _ in 0..<100 {
            instance.stdout.write([UInt8](repeating: 1, count: 10_000).span.bytes)
            batch.removeAll()
            while case .chunks = viewer.pull(into: batch, bytesMax: 1 << 20) {
                count += batch.chunks.reduce(0) { $0 + $1.count }
                batch.removeAll()
            }
        }
        let exit = instance.finish(code: 0)
        #expect(count == 1_000_000)
        #expect(exit.code == 0)
        #expect(exit.message.contains("the log is not complete"))
    }

    @Test("on a full disk keeps what fitted, and the viewers get all that they keep up with")
    func fullDisk() throws {
        guard geteuid() == 0 else { return }
        try withDirectory { directory in
            guard mount("none", directory, "tmpfs", 0, "size=256k,mode=0700") == 0 else {
                // Not allowed to mount here: a container without that right.
                return
            }
            defer { umount2(directory, Int32(MNT_DETACH)) }
            let instance = try registry(in: directory).register(
                try ExecKey(container: "c", exec: "e")
            )
            let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
            defer { viewer.detach() }
            let batch = ViewerBatch()
            var received: [UInt8] = []
            for number in 0..<64 {
                instance.stdout.write(
                    [UInt8](repeating: UInt8(number), count: 16 << 10).span.bytes
                )
                batch.removeAll()
                while case .chunks = viewer.pull(into: batch, bytesMax: 1 << 20) {
                    received += batch.chunks.flatMap { $0.bytes }
                    batch.removeAll()
                }
            }
            let exit = instance.finish(code: 0)
            #expect(received.count == 64 * (16 << 10))
            #expect(exit.stdoutBytes == UInt64(received.count))
            #expect(exit.message.contains("No space left on device"))
            let kept = try Files.readSmall("\(directory)/execs/c/e/stdout", max: 1 << 20)
            #expect(!kept.isEmpty && kept == Array(received[..<kept.count]))
        }
    }

    @Test("a tee gives its primary everything, and then the exec")
    func teeWriter() throws {
        try withDirectory { directory in
            let registry = registry(in: directory)
            let instance = try registry.register(try ExecKey(container: "c", exec: "e"))
            let path = "\(directory)/own.log"
            let tee = TeeWriter(primary: try FileSink(path: path), secondary: instance.stdout)
            try tee.write("one ")
            try tee.write("two")
            #expect(try Files.readSmall(path, max: 99) == Array("one two".utf8))
            #expect(instance.info.stdoutBytes == 7)
        }
    }
}
