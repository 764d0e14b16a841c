import ExecCore
import ExecModel
import Kernel
import Testing

@Suite("The registry")
struct RegistryTests {
    private func withRegistry(
        _ change: (inout RegistryConfiguration) -> Void = { _ in },
        _ body: (ExecSessionRegistry, FakeClocks) throws -> Void,
    ) throws {
        try withDirectory { directory in
            var configuration = RegistryConfiguration(stateDirectory: directory)
            change(&configuration)
            let clocks = FakeClocks()
            try body(ExecSessionRegistry(configuration: configuration, clocks: clocks), clocks)
        }
    }

    private func key(_ exec: String, in container: String = "c") throws -> ExecKey {
        try ExecKey(container: container, exec: exec)
    }

    @Test("keeps an exit for five minutes, to the second, with the default figures")
    func retention() throws {
        try withRegistry { registry, clocks in
            let instance = try registry.register(try key("a"))
            instance.stdout.write(Array("hello".utf8).span.bytes)
            let exit = instance.finish(code: 3)
            clocks.advance(by: .seconds(299))
            #expect(registry.sweep() == 0)
            #expect(try registry.instance(try key("a")).exit == exit)
            clocks.advance(by: .seconds(1))
            #expect(registry.sweep() == 1)
            #expect(throws: ExecError.self) { try registry.instance(try key("a")) }
        }
    }

    @Test("keeps what it keeps for its time, however somebody sets the clock")
    func clockJumps() throws {
        try withRegistry { registry, clocks in
            let instance = try registry.register(try key("a"))
            try instance.stdout.write(Array("before".utf8))
            clocks.setUnixClock(ahead: .seconds(86_400))
            try instance.stdout.write(Array("after".utf8))
            instance.finish(code: 0)
            // A day later by the clock on the wall, and not a second by any other.
            #expect(registry.sweep() == 0)
            clocks.setUnixClock(ahead: .seconds(-86_400))
            clocks.advance(by: .seconds(299))
            #expect(registry.sweep() == 0)
            let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
            let batch = ViewerBatch()
            guard case .chunks = viewer.pull(into: batch, bytesMax: 1 << 18) else {
                Issue.record("no chunks")
                return
            }
            #expect(batch.chunks.map(\.bytes) == [Array("before".utf8), Array("after".utf8)])
            #expect(batch.chunks[1].unixNS - batch.chunks[0].unixNS == 86_400_000_000_000)
            viewer.detach()
            clocks.advance(by: .seconds(1))
            #expect(registry.sweep() == 1)
        }
    }

    @Test("sweeps by the age of each exit, and never what has not exited")
    func sweepOrder() throws {
        try withRegistry { registry, clocks in
            let running = try registry.register(try key("running"))
            for number in 0..<10 {
                try registry.register(try key("e\(number)")).finish(code: 0)
                clocks.advance(by: .seconds(30))
            }
            // The first is 300 s old by now, each later one 30 s younger.
            for left in stride(from: 9, through: 0, by: -1) {
                #expect(registry.sweep() == 1)
                #expect(registry.instances().count == left + 1)
                clocks.advance(by: .seconds(30))
            }
            #expect(registry.instances().map(\.key) == [running.key])
        }
    }

    @Test("lets a viewer of a forgotten exec read on to the exit, and then leaves no file")
    func removalBelowAViewer() throws {
        try withRegistry { registry, _ in
            let instance = try registry.register(try key("a"))
            let bytes = [UInt8](repeating: 7, count: 3 << 20)
            instance.stdout.write(bytes.span.bytes)
            let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
            let exit = instance.finish(code: 5)
            try registry.remove(try key("a"))
            // The name is free at once.
            let other = try registry.register(try key("a"))
            try other.stdout.write([1, 2, 3] as [UInt8])

            let batch = ViewerBatch()
            var count = 0
            var told: Exit?
            while told == nil {
                batch.removeAll()
                if case .end(let end) = viewer.pull(into: batch, bytesMax: 1 << 18) { told = end }
                count += batch.chunks.reduce(0) { $0 + $1.count }
            }
            viewer.detach()
            #expect(count == bytes.count)
            #expect(told == exit)
            let execs = "\(registry.configuration.stateDirectory)/execs"
            #expect(try Files.list(execs) == ["c"])
            #expect(try Files.readSmall("\(execs)/c/a/stdout", max: 10) == [1, 2, 3])
        }
    }

    @Test("gives a name away only once the log of whoever had it is out of its place")
    func removalBesideAStart() throws {
        try withDirectory { directory in
            let clocks = InterruptingClocks()
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: directory),
                clocks: clocks
            )
            let key = try key("a")
            try registry.register(key).stdout.write(Array("the old one's".utf8))
            try registry.instance(key).finish(code: 0)
            // The removal asks for the time to name the place that the log goes to.
            clocks.interrupt {
                guard let early = try? registry.register(key) else { return }
                try? early.stdout.write(Array("new".utf8))
            }
            try registry.remove(key)
            if (try? registry.instance(key)) == nil {
                try registry.register(key).stdout.write(Array("new".utf8))
            }
            #expect(
                try Files.readSmall("\(directory)/execs/c/a/stdout", max: 99) == Array("new".utf8)
            )
        }
    }

    @Test("drops what is written to an exec that it has forgotten")
    func lateWriter() throws {
        try withRegistry { registry, _ in
            let instance = try registry.register(try key("a"))
            try instance.stdout.write(Array("in time".utf8))
            instance.finish(code: 0)
            try registry.remove(try key("a"))
            try instance.stdout.write(Array("late".utf8))
            let execs = "\(registry.configuration.stateDirectory)/execs"
            #expect(try Files.list(execs) == [])
        }
    }

    @Test("sweeps a few at a time where it is asked to, and loses none")
    func sweepInParts() throws {
        try withRegistry { registry, clocks in
            for number in 0..<7 { try registry.register(try key("e\(number)")).finish(code: 0) }
            clocks.advance(by: .seconds(300))
            #expect(registry.sweep(atMost: 3) == 3)
            #expect(registry.instances().map(\.key.execID) == ["e3", "e4", "e5", "e6"])
            #expect(registry.sweep(atMost: 3) == 3)
            #expect(registry.sweep(atMost: 3) == 1)
            #expect(registry.instances().isEmpty)
        }
    }

    @Test("refuses a name that is taken, and one more than its bounds allow")
    func bounds() throws {
        try withRegistry({ ($0.instancesMax, $0.instancesPerContainerMax) = (3, 2) }) {
            registry,
            _ in
            _ = try registry.register(try key("a"))
            #expect(code { _ = try registry.register(try key("a")) } == .alreadyExists)
            _ = try registry.register(try key("b"))
            #expect(code { _ = try registry.register(try key("c")) } == .resourceExhausted)
            _ = try registry.register(try key("a", in: "other"))
            #expect(
                code { _ = try registry.register(try key("x", in: "third")) } == .resourceExhausted
            )
            #expect(code { try registry.remove(try key("a")) } == .failedPrecondition)
        }
    }

    @Test("tells viewers of an exec that is unregistered without an exit that it can't be known")
    func unregisterWithoutExit() throws {
        try withRegistry { registry, _ in
            let instance = try registry.register(try key("a"))
            try registry.unregister(try key("a"))
            #expect(instance.exit?.reason == .runtimeError)
            #expect(instance.exit?.code == 255)
        }
    }

    @Test("counts the first exit, and gives it to whoever comes later")
    func oneExit() throws {
        try withRegistry { registry, _ in
            let instance = try registry.register(try key("a"))
            let first = instance.finish(code: 1)
            #expect(instance.finish(code: 2) == first)
            try instance.stdout.write([1] as [UInt8])
            #expect(instance.info.stdoutBytes == 0)
            #expect(instance.exit == first)
        }
    }

    @Test("sums a container up from its execs")
    func status() throws {
        try withRegistry { registry, clocks in
            #expect(code { _ = try registry.status(of: "c") } == .notFound)
            let first = try registry.register(try key("a"))
            #expect(try registry.status(of: "c").state == .created)
            let viewer = try first.attach(View(), waker: FakeWaker()).viewer
            #expect(try registry.status(of: "c").state == .running)
            viewer.detach()
            first.finish(code: 1)
            clocks.advance(by: .seconds(1))
            let last = try registry.register(try key("b")).finish(code: 2)
            let status = try registry.status(of: "c")
            #expect(status.state == .exited)
            #expect(status.exit == last)
        }
    }

    private func code(_ body: () throws -> Void) -> ExecError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ExecError)?.code
        }
    }
}
