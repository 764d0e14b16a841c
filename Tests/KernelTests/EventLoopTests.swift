internal import Glibc
internal import Synchronization
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct EventLoopTests {
    @Test func `tells a reader again until it has read all`() async throws {
        try await withLoop { loop in
            let texts: [String] = try await loop.finish { done in
                var ends = try Pipe.make(nonBlockingRead: true)
                let reader = Held(ends.takeReadEnd())
                try ends.takeWriteEnd().write("abc")
                var (texts, registration): ([String], Registration?) = ([], nil)
                let handler = Handler { _ in
                    let text = try? reader.descriptor.readText(max: 1)
                    texts.append(text ?? "nothing")
                    guard text == "", let given = registration.take() else { return }
                    loop.deregister(given)
                    done(texts)
                }
                registration = try loop.register(reader.descriptor, for: .readable, handler)
            }
            #expect(texts == ["a", "b", "c", ""])
        }
    }

    @Test func `runs what is posted before the last of many timers that are due together`()
        async throws
    {
        final class Counts: Sendable {
            let ran = Atomic(0)
            let ranBeforeJob = Atomic(0)
        }
        let counts = Counts()
        try await withLoop { loop in
            let _: Bool = try await loop.finish { done in
                for number in 1...200 {
                    loop.schedule(after: .zero) {
                        // Each takes a while, so that all together take more than a turn should.
                        let end = SystemClocks().now + .milliseconds(1)
                        while SystemClocks().now < end {}
                        counts.ran.add(1, ordering: .relaxed)
                        if number == 200 { done(true) }
                        guard number == 1 else { return }
                        loop.execute {
                            let ran = counts.ran.load(ordering: .relaxed)
                            counts.ranBeforeJob.store(ran, ordering: .relaxed)
                        }
                    }
                }
            }
        }
        #expect(counts.ran.load(ordering: .relaxed) == 200)
        #expect((1..<200).contains(counts.ranBeforeJob.load(ordering: .relaxed)))
    }

    @Test func `does not deliver an event of the turn in which it was deregistered`() async throws {
        try await withLoop { loop in
            let calls: [String] = try await loop.finish { done in
                let pipes = try [readablePipe(), readablePipe()]
                var (calls, registrations): ([String], [Registration]) = ([], [])
                // Both are ready in one turn; whoever is told first silences both.
                for pipe in pipes {
                    let handler = Handler { _ in
                        calls.append("first told")
                        for registration in registrations { loop.deregister(registration) }
                        loop.schedule(after: .zero) { withExtendedLifetime(pipes) { done(calls) } }
                    }
                    registrations.append(
                        try loop.register(pipe.descriptor, for: .readable, handler)
                    )
                }
            }
            #expect(calls == ["first told"])
        }
    }

    @Test func `does not deliver an old event to the slot's next owner`() async throws {
        try await withLoop { loop in
            let told: Bool = try await loop.finish { done in
                var first = try Pipe.make()
                var second = try Pipe.make()
                let silent = [Held(first.takeReadEnd()), Held(second.takeReadEnd())]
                let writers = [Held(first.takeWriteEnd()), Held(second.takeWriteEnd())]
                let pipes = try [readablePipe(), readablePipe()]
                var (told, registrations): (Bool, [Registration]) = (false, [])
                let handler = Handler { _ in
                    for registration in registrations { loop.deregister(registration) }
                    // Both slots get new owners, for whom there is nothing. One of the slots has an
                    // event of this turn still to come.
                    let next = Handler { _ in told = true }
                    for held in silent {
                        _ = try? loop.register(held.descriptor, for: .readable, next)
                    }
                    loop.schedule(after: .zero) {
                        withExtendedLifetime((writers, pipes, silent)) { done(told) }
                    }
                }
                for pipe in pipes {
                    registrations.append(
                        try loop.register(pipe.descriptor, for: .readable, handler)
                    )
                }
            }
            #expect(!told)
        }
    }

    @Test func `keeps to the interest, and tells of a hang-up without any`() async throws {
        try await withLoop { loop in
            let told: [Readiness] = try await loop.finish { done in
                var ends = try Pipe.make(nonBlockingRead: true)
                let reader = Held(ends.takeReadEnd())
                let writer = Shared<Held?>(Held(ends.takeWriteEnd()))
                try writer.value?.descriptor.write("x")
                var (told, registration): ([Readiness], Registration?) = ([], nil)
                let handler = Handler { readiness in
                    told.append(readiness)
                    guard let given = registration else { return }
                    if readiness == .readable {
                        // There still is something to read, and nobody who wants to know.
                        loop.update(given, to: [])
                        loop.schedule(after: .milliseconds(1)) { writer.change { $0 = nil } }
                    } else {
                        loop.deregister(given)
                        withExtendedLifetime(reader) { done(told) }
                    }
                }
                registration = try loop.register(reader.descriptor, for: .readable, handler)
            }
            #expect(told == [.readable, .hangUp])
        }
    }

    @Test func `takes a hang-up for something to read where that is awaited`() async throws {
        try await withLoop { loop in
            var ends = try Pipe.make(nonBlockingRead: true)
            let reader = Held(ends.takeReadEnd())
            ends.takeWriteEnd().close()
            let readiness = try await loop.readiness(of: reader, for: .readable)
            #expect(readiness == [.readable, .hangUp])
        }
    }

    @Test func `tells a writer of room, and of a reader that went away`() async throws {
        try await withLoop { loop in
            var ends = try Pipe.make(nonBlockingWrite: true)
            let writer = Held(ends.takeWriteEnd())
            let reader = ends.takeReadEnd()
            #expect(try await loop.readiness(of: writer, for: .writable) == .writable)
            let block = String(repeating: "x", count: 65_536)
            try writer.descriptor.write(block)
            reader.close()
            #expect(try await loop.readiness(of: writer, for: []) == .error)
        }
    }

    @Test func `refuses what cannot be waited for`() async throws {
        try await withLoop { loop in
            let directory = try TemporaryDirectory()
            let path = try directory.file("f")
            let refusal = try await loop.perform { () -> Errno? in
                let file = try Files.open(path, .readOnly)
                do throws(Errno) {
                    _ = try loop.register(file, for: .readable, Handler { _ in })
                    return nil
                } catch {
                    return error
                }
            }
            #expect(refusal == .notPermitted)
            #expect(try await loop.perform { loop.table.count } == 0)
        }
    }

    @Test func `traps on a registration that was given up`() async {
        await #expect(processExitsWith: .failure) {
            try await withLoop { loop in
                try await loop.perform {
                    let pipe = try readablePipe()
                    let given = try loop.register(
                        pipe.descriptor,
                        for: .readable,
                        Handler { _ in }
                    )
                    loop.deregister(given)
                    loop.deregister(given)
                }
            }
        }
    }

    @Test func `traps off its thread`() async {
        await #expect(processExitsWith: .failure) {
            try await withLoop { loop in _ = loop.schedule(after: .zero) {} }
        }
        await #expect(processExitsWith: .failure) {
            try await withLoop { loop in _ = LoopBound(1, on: loop).value }
        }
        await #expect(processExitsWith: .success) {
            try await withLoop { loop in
                var bound = LoopBound(1, on: loop)
                let changed = try await loop.perform { [bound] () -> Int in
                    var bound = bound
                    bound.value += 1
                    return bound.value
                }
                bound = LoopBound(2, on: loop)
                if changed != 2 { abort() }
            }
        }
    }

    @Test func `lends a buffer of its own`() async throws {
        try await withLoop { loop in
            let count = try await loop.perform { loop.scratch.count }
            #expect(count == 256 * 1024)
        }
    }

    @Test func `lets go of handlers, timers and jobs when it ends`() async throws {
        let witness = Shared<[Bool]>([])
        weak var loopLeft: EventLoop?
        do {
            let group = try EventLoopGroup(count: 1, name: "test")
            let loop = group.next()
            loopLeft = loop
            try await loop.perform {
                let pipe = try readablePipe()
                // Held by the loop alone, and holding the loop.
                let handler = Handler { _ in withExtendedLifetime((pipe, loop)) {} }
                let registration = try loop.register(pipe.descriptor, for: [], handler)
                let keeper = CallOnDeinit {
                    loop.deregister(registration)
                    witness.change { $0.append(loop.isCurrent) }
                }
                loop.schedule(after: .seconds(3600)) { withExtendedLifetime((keeper, loop)) {} }
            }
            group.shutdown()
            #expect(!loop.execute { witness.change { $0.append(false) } })
        }
        #expect(witness.value == [true])
        #expect(loopLeft == nil)
    }
}

/// A pipe with a byte in it, whose writer is gone.
func readablePipe() throws -> Held {
    var ends = try Pipe.make(nonBlockingRead: true)
    try ends.takeWriteEnd().write("x")
    return Held(ends.takeReadEnd())
}

final class CallOnDeinit {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) {
        self.body = body
    }

    deinit {
        body()
    }
}
