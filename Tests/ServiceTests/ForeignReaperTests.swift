import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Synchronization
import Testing
import Wire

/// In processes of their own: the loop takes every child's status, not just those of execs.
@Suite("Beside a loop that waits for any child", .serialized, .timeLimit(.minutes(2)))
struct ForeignReaperTests {
    @Test("1,000 codes are right: the kernel still tells them", .enabled(if: kernelTells))
    func kernel() async {
        await #expect(processExitsWith: .success) {
            try await beside(HostileLoop(telling: nil)) { $0.exitStatuses = nil }
        }
    }

    @Test("1,000 codes are right: the loop tells them, and the kernel doesn't")
    func cache() async {
        await #expect(processExitsWith: .success) {
            let cache = ExitStatusCache()
            try await beside(HostileLoop(telling: cache)) {
                $0.exitStatuses = cache
                $0.asksKernelForStatus = false
            }
        }
    }

    @Test("an exit that nobody tells is an error, and never a code that was made up")
    func nobody() async {
        await #expect(processExitsWith: .success) {
            try await beside(HostileLoop(telling: nil), count: 200, mayBeUnknown: true) {
                $0.exitStatuses = ExitStatusCache()
                $0.exitStatusWait = .milliseconds(10)
                $0.asksKernelForStatus = false
            }
        }
    }

    private static let kernelTells: Bool = {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0, as: UTF8.self) }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 15)
    }()
}

/// What no library should do in a program that has children which aren't its own.
private final class HostileLoop: Sendable {
    private let cache: ExitStatusCache?
    private let isOver = Atomic(false)
    private let taken = Atomic(0)

    init(telling cache: ExitStatusCache?) { self.cache = cache }

    var count: Int { taken.load(ordering: .relaxed) }

    /// Runs it beside `body`.
    func run(beside body: () throws -> Void) throws {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let answer = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<HostileLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        try #require(answer == 0)
        defer {
            isOver.store(true, ordering: .relaxed)
            pthread_join(thread, nil)
        }
        try body()
    }

    private func run() {
        while !isOver.load(ordering: .relaxed) {
            var status: Int32 = 0
            let pid = wait4(-1, &status, 0, nil)
            guard pid > 0 else {
                sched_yield()
                continue
            }
            taken.add(1, ordering: .relaxed)
            cache?.record(pid: pid, status: status)
        }
    }
}

/// Runs short execs, one after the other, while the loop runs, and sees that each code is right.
private func beside(
    _ hostile: HostileLoop,
    count: Int = 1_000,
    mayBeUnknown: Bool = false,
    _ change: (inout ProcessOptions) -> Void,
) async throws {
    try await Service.run(options: { change(&$0.processes) }) { service in
        let client = try RawClient(service)
        var unknown = 0
        try hostile.run {
            for number in 0..<count {
                var command = Command(["sh", "-c", "exit \(number % 256)"])
                if number % 10 == 9 { command = Command(["sh", "-c", "kill -KILL $$"]) }
                let start = Start(containerID: "c", execID: "e\(number)", command: command)
                let id = UInt32(number * 2 + 3)
                try client.start(start, id: id)
                let exit = try #require(try client.session(id).exit)
                if mayBeUnknown, exit.reason == .runtimeError {
                    unknown += 1
                    precondition(exit.code == 255)
                    precondition(exit.message.contains("has taken its exit status"))
                } else if number % 10 == 9 {
                    precondition((exit.code, exit.signal, exit.reason) == (137, SIGKILL, .signal))
                } else {
                    precondition((exit.code, exit.reason) == (Int32(number % 256), .natural))
                }
            }
        }
        // Otherwise nothing was tested.
        precondition(hostile.count > count / 10)
        precondition((unknown > 0) == mayBeUnknown)
    }
}
