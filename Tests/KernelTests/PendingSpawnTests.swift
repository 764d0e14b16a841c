internal import Glibc
internal import Testing

@testable internal import Kernel

/// What a start came to, as a test looks at it.
private enum Told: Equatable {
    case runs
    case failed(String)
}

/// Steps of a start, and how a message calls them.
private let steps: [(SpawnFailure.Step, String)] = [
    (.cgroup, "entering its cgroup"),
    (.session, "making its session"),
    (.descriptors, "setting up its descriptors"),
    (.directory, "entering the working directory '/tmp'"),
    (.limits, "setting its resource limits"),
    (.execute, "running the program '/bin/true'"),
]

@Suite(.timeLimit(.minutes(1))) struct PendingSpawnTests {
    /// Begins a start on the loop, and returns what is told.
    private func tell(
        _ request: SpawnRequest,
        within deadline: Duration = .seconds(30),
        on loop: EventLoop,
        method: SpawnMethod = .automatic,
        after begun: @escaping @Sendable (PendingSpawn) -> Void = { _ in },
    ) async throws -> Told {
        try await loop.finish { done in
            let null = try Files.open("/dev/null", .readWriteCreate(permissions: 0))
            let pending = try PendingSpawn(
                request,
                StandardDescriptors(all: null),
                within: deadline,
                on: loop,
                method: method,
            ) { outcome in
                switch consume outcome {
                case .success(let child):
                    try? child.signal(SIGKILL, group: false)
                    while (try? child.collect()) == nil { sched_yield() }
                    done(.runs)
                case .failure(let failure): done(.failed(failure.message))
                }
            }
            begun(pending)
        }
    }

    @Test(arguments: methods, steps)
    func `is told in time of a start that hangs, with the step; others are not held up`(
        method: SpawnMethod,
        step: (SpawnFailure.Step, String),
    ) async throws {
        var ends = try Pipe.make()
        let (reader, writer) = (Held(ends.takeReadEnd()), Held(ends.takeWriteEnd()))
        var request = SpawnRequest(argv: ["/bin/true"], workingDirectory: "/tmp")
        request.hang = (step.0, reader.descriptor.number)
        try await withLoop { [request] loop in
            async let hung = tell(request, within: .seconds(1), on: loop, method: method)
            // On the same loop, all of them while the first one hangs, or after it.
            for _ in 0..<5 {
                #expect(try await tell(SpawnRequest(argv: ["/bin/true"]), on: loop) == .runs)
            }
            let why = "the start did not finish in 1 s: it hung while \(step.1)"
            let told = try await hung
            #expect(told == .failed(why))
        }
        withExtendedLifetime(writer) {}
    }

    @Test(arguments: methods) func `goes on where the hang ends in time`(
        method: SpawnMethod,
    ) async throws {
        var ends = try Pipe.make()
        let (reader, writer) = (Held(ends.takeReadEnd()), Held(ends.takeWriteEnd()))
        var request = SpawnRequest(argv: ["/bin/true"], workingDirectory: "/tmp")
        request.hang = (.directory, reader.descriptor.number)
        try await withLoop { [request] loop in
            async let told = tell(request, on: loop, method: method)
            #expect(try await tell(SpawnRequest(argv: ["/bin/true"]), on: loop) == .runs)
            try writer.descriptor.write("x")
            let outcome = try await told
            #expect(outcome == .runs)
        }
    }

    @Test(arguments: methods) func `can be given up, and then fails at once`(
        method: SpawnMethod,
    ) async throws {
        var ends = try Pipe.make()
        let (reader, writer) = (Held(ends.takeReadEnd()), Held(ends.takeWriteEnd()))
        var request = SpawnRequest(argv: ["/bin/true"])
        request.hang = (.session, reader.descriptor.number)
        try await withLoop { [request] loop in
            let told = try await tell(request, on: loop, method: method) { pending in
                pending.cancel("enough")
            }
            #expect(told == .failed("enough"))
        }
        withExtendedLifetime(writer) {}
    }

    @Test(.enabled(if: getuid() == 0))
    func `says so where somebody has stopped the new process`() async throws {
        let stopped = Shared<Int32>(0)
        var ends = try Pipe.make()
        let (reader, writer) = (Held(ends.takeReadEnd()), Held(ends.takeWriteEnd()))
        var request = SpawnRequest(argv: ["/bin/true"])
        request.user = UserIDs(uid: 64_111, gid: 64_111)
        request.hang = (.execute, reader.descriptor.number)
        try await withLoop { [request] loop in
            let told = try await tell(request, within: .seconds(1), on: loop) { pending in
                guard let child = pending.pid else { return }
                stopped.change { $0 = child }
                kill(child, SIGSTOP)
            }
            let why = "the start did not finish in 1 s: it was stopped by a signal while"
            guard case .failed(let message) = told else {
                Issue.record("it runs")
                return
            }
            #expect(message.hasPrefix(why))
        }
        withExtendedLifetime(writer) {}
        // Also where its loop has ended before it could be collected.
        #expect(ProcessRecord.read(stopped.value)?.hasEnded != true)
    }

    @Test(.enabled(if: getuid() == 0)) func `leaves the process dumpable in the end`() async {
        await #expect(processExitsWith: .success) {
            _ = processControl(setDumpable, 1)
            var ends = try Pipe.make()
            let (reader, writer) = (Held(ends.takeReadEnd()), Held(ends.takeWriteEnd()))
            var request = SpawnRequest(argv: ["/bin/true"])
            request.user = UserIDs(uid: 64_111, gid: 64_111)
            let quick = request
            request.hang = (.execute, reader.descriptor.number)
            let test = PendingSpawnTests()
            try await withLoop { [request] loop in
                async let hung = test.tell(request, within: .milliseconds(700), on: loop)
                // These end before: only with the last one the flag comes back.
                for _ in 0..<3 { _ = try await test.tell(quick, on: loop) }
                if processControl(getDumpable, 0) == 1 { fail("dumpable too early") }
                let told = try await hung
                if told == .runs { fail("it did not hang") }
                // Given back once the killed child is collected, which is an event of the loop.
                while processControl(getDumpable, 0) != 1 { sched_yield() }
            }
            withExtendedLifetime(writer) {}
        }
    }

    @Test func `may be many at once`() async throws {
        try await withLoop { loop in
            let told = try await withThrowingTaskGroup(of: Told.self) { group in
                for number in 0..<200 {
                    let program = number % 4 == 0 ? "/no/such/program" : "/bin/true"
                    group.addTask { try await tell(SpawnRequest(argv: [program]), on: loop) }
                }
                return try await group.reduce(into: [Told]()) { $0.append($1) }
            }
            #expect(told.count { $0 == .runs } == 150)
        }
    }
}

private let getDumpable: Int32 = 3
private let setDumpable: Int32 = 4

/// prctl(2), which Swift can't call by its name: it is variadic.
private func processControl(_ option: Int32, _ argument: UInt) -> Int32 {
    typealias Function = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
    guard let symbol = dlsym(nil, "prctl") else { fail("there is no prctl") }
    return unsafeBitCast(symbol, to: Function.self)(option, argument, 0, 0, 0)
}
