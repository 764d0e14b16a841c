import ExecModel
import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("Those who wait for a start", .timeLimit(.minutes(1)))
struct PendingStartTests {
    private func withStart(
        _ body: (PendingStart, Told) throws -> Void,
    ) throws {
        let group = try EventLoopGroup(count: 1, name: "test")
        defer { group.shutdown() }
        try body(PendingStart(on: group.loops[0]), Told())
    }

    @Test("are told in the order they came, but for those who have left")
    func order() throws {
        try withStart { start, told in
            var waits: [StartWait] = []
            for number in 0..<1_000 {
                waits.append(try #require(try start.whenOver(.view) { _ in told.add(number) }))
            }
            for number in 0..<1_000 where number % 10 != 3 { #expect(waits[number].cancel()) }
            #expect(!waits[0].cancel())
            try start.loop.perform { () throws(Errno) in start.over() }
            try start.loop.perform { () throws(Errno) in }
            #expect(told.all == Array(stride(from: 3, to: 1_000, by: 10)))
            #expect(!waits[3].cancel())
        }
    }

    @Test("are told a few at a time, and leave also while others are told")
    func slices() throws {
        try withStart { start, told in
            let count = 3 * PendingStart.toldAtOnceMax
            var waits: [StartWait] = []
            for number in 0..<count {
                waits.append(try #require(try start.whenOver(.view) { _ in told.add(number) }))
            }
            let last = try #require(waits.last)
            let first = try start.loop.value { () throws(Errno) in
                start.over()
                let first = told.all.count
                last.cancel()
                return first
            }
            #expect(first == PendingStart.toldAtOnceMax)
            // Each of these comes behind one step.
            for _ in 0..<3 { try start.loop.perform { () throws(Errno) in } }
            #expect(told.all == Array(0..<(count - 1)))
        }
    }

    @Test("leave nothing behind when they leave")
    func noRest() {
        var waiters = StartWaiters()
        final class Held: Sendable {}
        weak var last: Held?
        for _ in 0..<100_000 {
            let held = Held()
            last = held
            let number = waiters.add { _ in withExtendedLifetime(held) {} }
            let hasLeft = waiters.leave(number)
            #expect(hasLeft)
        }
        #expect(last == nil)
        #expect(waiters.count == 0)
        #expect(waiters.placeCount <= 64)
    }

    @Test("to send a signal are so many at most; one that leaves makes room")
    func bound() throws {
        try withStart { start, _ in
            var waits: [StartWait] = []
            for _ in 0..<PendingStart.controlsMax {
                waits.append(try #require(try start.whenOver(.control) { _ in }))
            }
            do throws(ExecError) {
                _ = try start.whenOver(.control) { _ in }
                Issue.record("one too many")
            } catch {
                #expect(error.code == .resourceExhausted)
            }
            #expect(try start.whenOver(.view) { _ in } != nil)
            waits[0].cancel()
            #expect(try start.whenOver(.control) { _ in } != nil)
        }
    }
}

private final class Told: Sendable {
    private let numbers = Mutex<[Int]>([])

    func add(_ number: Int) { numbers.withLock { $0.append(number) } }

    var all: [Int] { numbers.withLock { $0 } }
}
