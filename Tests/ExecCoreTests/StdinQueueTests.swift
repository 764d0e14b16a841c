import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("An exec's stdin in flight")
struct StdinQueueTests {
    private let part = StdinQueue.partBytes

    /// A queue whose whole room is promised to writers 1 to 4, with writer 5 waiting.
    private func promised() -> StdinQueue {
        var queue = StdinQueue()
        for writer: UInt64 in 1...4 { #expect(queue.join(writer) == part) }
        #expect(queue.join(5) == 0)
        return queue
    }

    private func front(of queue: StdinQueue) -> [UInt8]? {
        queue.withFront { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    @Test("never has room promised for more than 256 KiB")
    func bound() {
        #expect(StdinQueue.bytesMax == 4 * part)
        var queue = promised()
        #expect(queue.join(6) == 0)
        // In the order in which they came.
        #expect(queue.leave(2) == 5)
        #expect(queue.leave(5) == 6)
        #expect(queue.leave(6) == nil)
        #expect(queue.join(7) == part)
    }

    @Test("forgets a writer that leaves while it waits")
    func waitingLeft() {
        var queue = promised()
        #expect(queue.join(6) == 0)
        #expect(queue.leave(5) == nil)
        #expect(queue.leave(1) == 6)
    }

    @Test("counts a writer's bytes after it has left, until they are taken")
    func orphaned() {
        var queue = promised()
        _ = queue.append([1, 2, 3], from: 1)
        _ = queue.append([4], from: 2)
        _ = queue.append([5], from: 1)
        #expect(queue.leave(1) == nil)
        #expect(queue.take(2) == (1, nil))
        #expect(front(of: queue) == [3])
        #expect(queue.take(1) == (1, nil))
        #expect(queue.take(1) == (2, nil))
        #expect(queue.take(1) == (1, 5))
        #expect(queue.isEmpty)
        #expect(queue.leave(5) == nil)
        #expect(queue.join(6) == part)
    }

    @Test("lets nobody wait once nothing is taken any more, and says whose bytes were lost")
    func dropped() {
        var queue = promised()
        _ = queue.append([1, 2, 3], from: 1)
        _ = queue.append([4, 5], from: 2)
        queue.appendEnd([4])
        _ = queue.take(1)
        let left = queue.drop()
        #expect(left.dropped == [1: 2, 2: 2])
        #expect(left.promisedTo == [5])
        #expect(queue.isEmpty)
        for writer: UInt64 in 6...20 { #expect(queue.join(writer) == part) }
        #expect(queue.drop().promisedTo.isEmpty)
    }

    @Test("takes nothing after its end, and one end where several stand together")
    func ends() {
        var queue = StdinQueue()
        queue.appendEnd([4])
        queue.appendEnd([4])
        #expect(queue.take(1) == (0, nil))
        #expect(queue.isEmpty)
        _ = queue.join(1)
        _ = queue.append([1], from: 1)
        queue.close()
        #expect(queue.append([2], from: 1) == false)
        #expect(queue.take(1) == (1, nil))
        #expect(queue.isEmpty)
    }

    @Test("keeps no place for what was taken, also where it is never empty")
    func neverEmpty() throws {
        var queue = StdinQueue()
        _ = queue.join(1)
        for round in 0..<1_000 {
            _ = queue.append([UInt8(truncatingIfNeeded: round), 1], from: 1)
            if round > 0 { #expect(queue.take(2) == (1, nil)) }
            #expect(front(of: queue)?.first == UInt8(truncatingIfNeeded: round))
        }
        // It has no word for this: nobody but a test would ask.
        let pieces = try #require(Mirror(reflecting: queue).descendant("pieces"))
        #expect(Mirror(reflecting: pieces).children.count < 200)
    }

    @Test("gives the credit back for what comes after the end, and counts it as not taken")
    func afterTheEnd() throws {
        try withLoop { loop in
            let (late, all, dropped, taken) = try loop.value { () throws(Errno) in
                var pipe = try Pipe.make(nonBlockingWrite: true)
                let reader = pipe.takeReadEnd()
                let stdin = StdinPipe(pipe.takeWriteEnd(), of: nil, loop: loop)
                let credit = Atomic(0)
                _ = stdin.reserve(1)
                stdin.join(1) { credit.add($0, ordering: .relaxed) }
                // More than the pipe takes: the rest is still to be read when the end is said.
                stdin.write([UInt8](repeating: 1, count: 64 << 10), from: 1)
                stdin.write([UInt8](repeating: 2, count: 1_000), from: 1)
                stdin.close()
                let before = credit.load(ordering: .relaxed)
                stdin.write([3, 3, 3], from: 1)
                let late = credit.load(ordering: .relaxed) - before
                let taken = try reader.bytesWaiting
                let dropped = stdin.end()
                return (late, credit.load(ordering: .relaxed), dropped, taken)
            }
            #expect(late == 3)
            #expect(all == (64 << 10) + 1_003)
            #expect(dropped == all - taken)
        }
    }
}
