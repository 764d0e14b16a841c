import ExecModel
import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("What runs a process", .timeLimit(.minutes(1)))
struct ProcessControllerTests {
    /// An exec whose process is a `FakeProcess`, on a loop of its own.
    private struct Running {
        let instance: ExecInstance
        let process: FakeProcess
        let loop: EventLoop

        var controller: ProcessController {
            get throws { try #require(instance.controller) }
        }

        func perform(_ body: @escaping @Sendable (FakeProcess) -> Void) throws {
            try loop.perform { [process] () throws(Errno) in body(process) }
        }

        func thaws() throws -> Int {
            try loop.value { [process] () throws(Errno) in process.thaws }
        }

        /// Pauses it, and waits for the answer's turn; `result` is what came of the freezing.
        func pause(_ result: Result<FreezeMethod, Errno>) throws -> Bool? {
            let answer = Answer()
            try controller.pause { answer.tell($0) }
            try perform { $0.frozen?(result) }
            return answer.isSuccess
        }

        func resume() throws -> Bool? {
            let answer = Answer()
            try controller.resume { answer.tell($0) }
            try perform { _ in }
            return answer.isSuccess
        }
    }

    private func run(
        _ change: (inout Command) -> Void = { _ in },
        _ body: (Running) async throws -> Void,
    ) async throws {
        let directory = try Files.makeTemporaryDirectory(in: "/tmp", prefix: "execstream-core-")
        defer { try? Files.removeTree(directory) }
        let group = try EventLoopGroup(count: 1, name: "test")
        defer { group.shutdown() }
        let loop = group.loops[0]
        let registry = ExecSessionRegistry(
            configuration: RegistryConfiguration(stateDirectory: directory),
            clocks: FakeClocks()
        )
        var command = Command(["none"])
        change(&command)
        let instance = registry.make(
            try ExecKey(container: "c", exec: "e"),
            command: command,
            labels: [:]
        )
        let process = FakeProcess()
        try loop.perform { [command] () throws(Errno) in
            var pipe = try Pipe.make(nonBlockingRead: true)
            process.stdout = pipe.takeWriteEnd()
            var hosted = HostedProcess(
                handle: process,
                stdin: nil,
                stdout: pipe.takeReadEnd(),
                stderr: nil
            )
            let controller = ProcessController(
                &hosted,
                instance: instance,
                command: command,
                onDisconnect: OnDisconnect(),
                configuration: registry.configuration,
                loop: loop
            )
            instance.runner.withLock { $0 = .running(controller) }
            controller.begin()
        }
        instance.started(pid: process.pid)
        try await body(Running(instance: instance, process: process, loop: loop))
        try loop.perform { () throws(Errno) in process.stdout = nil }
    }

    @Test("tells what was written within the drain time, also where nobody had read it by then")
    func lastLook() async throws {
        try await run({ $0.drainMS = 1 }) { running in
            let loop = running.loop
            try running.perform { process in
                process.gone?()
                // This timer and that of the drain time are due in the same turn, in this order: what
                // the one writes can't have been read before the other.
                loop.schedule(after: .zero) { process.write("late") }
                let set = SystemClocks().now
                while SystemClocks().now - set < .milliseconds(2) {}
            }
            let exit = try await running.instance.waitForExit()
            #expect(exit.stdoutBytes == 4)
            #expect(!exit.drained)
        }
    }

    @Test("lets go on what was to freeze and was not told to be")
    func brokenOffPause() async throws {
        try await run { running in
            let isPaused = try running.pause(.failure(.interrupted))
            #expect(isPaused == false)
            #expect(try running.thaws() == 1)
            #expect(running.instance.info.state == .running)
        }
    }

    @Test("says so where it can't let go on what it has frozen, and can be asked again")
    func failedResume() async throws {
        try await run { running in
            #expect(try running.pause(.success(.cgroup)) == true)
            try running.perform { $0.thawFailures = [.descriptorsUsedUp] }
            #expect(try running.resume() == false)
            #expect(running.instance.info.state == .paused)
            #expect(try running.resume() == true)
            #expect(running.instance.info.state == .running)
        }
    }

    @Test("lets go on what is to stop, however often that takes")
    func stopOfAFrozenOne() async throws {
        try await run { running in
            #expect(try running.pause(.success(.cgroup)) == true)
            let (thawed, tell) = AsyncStream.makeStream(of: Void.self)
            try running.perform { process in
                process.thawFailures = [.descriptorsUsedUp, .outOfMemory]
                process.onThaw = { tell.yield() }
            }
            try running.controller.stop(.client)
            for await _ in thawed { break }
            #expect(try running.thaws() == 1)
        }
    }
}

extension ProcessControllerTests {
    @Test("measures its process once for all who ask meanwhile, and for those who ask soon after")
    func sharedUsage() async throws {
        try await run { running in
            let answers = Mutex<[UInt64]>([])
            let ask = { () throws in
                try running.controller.resourceUsage { usage in
                    answers.withLock { $0.append(usage.memoryBytes) }
                }
            }
            for _ in 0..<100 { try ask() }
            try running.perform { process in
                #expect(process.measurements == 1)
                var consumption = Consumption()
                consumption.memoryBytes = 7
                process.measured[0](consumption)
            }
            try running.perform { _ in }
            // The clock of this test stands still.
            for _ in 0..<100 { try ask() }
            try running.perform { process in #expect(process.measurements == 1) }
            #expect(answers.withLock { $0 } == Array(repeating: 7, count: 200))
        }
    }
}

/// What came of a call, once it has.
private final class Answer: Sendable {
    private let told = Mutex<Bool?>(nil)

    func tell(_ result: Result<FreezeMethod, ExecError>) {
        let isSuccess = (try? result.get()) != nil
        told.withLock { $0 = isSuccess }
    }

    var isSuccess: Bool? { told.withLock { $0 } }
}

/// A process that ends, freezes and goes on as a test says, and that starts no others.
private final class FakeProcess: ProcessHandle, Offspring, @unchecked Sendable {
    // Unchecked: touched on its loop only, but for `pid`.
    let pid: Int32 = 4711
    /// The other end of its output, held open.
    var stdout: Descriptor?
    /// What `thaw` throws in turn; after that it succeeds.
    var thawFailures: [Errno] = []
    private(set) var thaws = 0
    var onThaw: () -> Void = {}
    private(set) var gone: (() -> Void)?
    private(set) var frozen: ((Result<FreezeMethod, Errno>) -> Void)?

    func write(_ text: String) {
        Array(text.utf8).withUnsafeBytes { bytes in
            _ = try? stdout.lend { (pipe) throws(Errno) in try pipe.write(bytes) }
        }
    }

    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) { self.gone = gone }

    func collect(_ done: @escaping (ProcessEnding) -> Void) { done(.ended(ProcessEnd(code: 0))) }

    func signal(_ number: Int32, group: Bool) {}

    func freeze(_ done: @escaping (Result<FreezeMethod, Errno>) -> Void) { frozen = done }

    func thaw() throws(Errno) -> FreezeMethod {
        if !thawFailures.isEmpty { throw thawFailures.removeFirst() }
        thaws += 1
        onThaw()
        return .cgroup
    }

    /// How often it has been measured; the answers that are still to come.
    private(set) var measurements = 0
    private(set) var measured: [(Consumption) -> Void] = []

    func measure(on loop: EventLoop, _ done: @escaping (Consumption) -> Void) {
        measurements += 1
        measured.append(done)
    }

    var offspring: any Offspring { self }
    var pids: [Int32] { [] }
    var finder: @Sendable () -> [Int32] { { [] } }

    func note() {}

    func tellIfEmpty(on loop: EventLoop, _ done: @escaping (Bool) -> Void) { done(true) }

    func signal(_ number: Int32, sparingGroup: Bool) {}

    func kill() {}

    func whenEmpty(on loop: EventLoop, _ alone: @escaping () -> Void) { alone() }

    func letGo() {}

    func forgetCgroup() {}
}
