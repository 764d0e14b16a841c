import Kernel
import Synchronization
import Testing

@testable import ExecCore

@Suite("An exec's stdin in flight")
struct StdinQueueTests {
    private func front(of queue: StdinQueue) -> [UInt8]? {
        queue.withFront { bytes in bytes.withUnsafeBytes { Array($0) } }
    }

    /// Takes bytes; returns the credit that writers get.
    private func take(_ count: Int, of queue: inout StdinQueue) -> StdinQueue.Grants {
        var grants: StdinQueue.Grants = [:]
        queue.take(count, &grants)
        return grants
    }

    @Test("gives credit to whose bytes were taken, in the order of arrival")
    func order() {
        var queue = StdinQueue()
        for writer: UInt64 in 1...3 { #expect(queue.join(writer) > 0) }
        _ = queue.append([1, 2, 3], from: 2)
        _ = queue.append([4], from: 3)
        _ = queue.append([5], from: 2)
        #expect(front(of: queue) == [1, 2, 3, 4, 5])
        // A byte for the one that was taken, and one more: the window grows.
        #expect(take(2, of: &queue) == [2: 4])
        #expect(front(of: queue) == [3, 4, 5])
        #expect(take(3, of: &queue) == [2: 4, 3: 2])
        #expect(queue.isEmpty)
    }

    @Test("gives no credit to a writer that has left")
    func left() {
        var queue = StdinQueue()
        for writer: UInt64 in 1...2 { #expect(queue.join(writer) > 0) }
        _ = queue.append([1, 2], from: 2)
        _ = queue.append([3], from: 1)
        queue.leave(2)
        #expect(take(2, of: &queue) == [:])
        #expect(front(of: queue) == [3])
        var grants: StdinQueue.Grants = [:]
        let lost = queue.drop(&grants)
        #expect(lost == 1)
        #expect(grants == [1: 1])
    }

    @Test("lets nobody wait once nothing is taken any more, and says how much was lost")
    func dropped() {
        var queue = StdinQueue()
        var writer: UInt64 = 0
        // Writers that leave their bytes behind, until one has to wait.
        while true {
            writer += 1
            let credit = queue.join(writer)
            if credit == 0 { break }
            _ = queue.append([UInt8](repeating: 1, count: credit), from: writer)
            if writer > 2 { queue.leave(writer) }
        }
        queue.appendEnd([4])
        let first = take(1, of: &queue)[1] ?? 0
        // The pool is used up: the window shrinks, so nothing comes back for the byte.
        #expect(first == 0)
        let queued = StdinCredit.windowMax
        var grants: StdinQueue.Grants = [:]
        let lost = queue.drop(&grants)
        #expect(lost > StdinCredit.poolBytes)
        #expect(grants == [1: queued - 1, 2: 4_096, writer: 4_096])
        #expect(queue.isEmpty)
        grants = [:]
        let lostLater = queue.drop(&grants)
        #expect(lostLater == 0)
        #expect(grants == [:])
        #expect(queue.join(writer + 1) > 0)
    }

    @Test("takes nothing after its end, and one end where several stand together")
    func ends() {
        var queue = StdinQueue()
        queue.appendEnd([4])
        queue.appendEnd([4])
        #expect(take(1, of: &queue) == [:])
        #expect(queue.isEmpty)
        _ = queue.join(1)
        _ = queue.append([1], from: 1)
        queue.appendEnd([4])
        queue.appendEnd([4])
        #expect(front(of: queue) == [1, 4])
        queue.close()
        #expect(queue.append([2], from: 1) == false)
        #expect(take(2, of: &queue) == [1: 1])
        #expect(queue.isEmpty)
    }

    @Test("keeps no place for what was taken, also where it is never empty")
    func neverEmpty() throws {
        var queue = StdinQueue()
        _ = queue.join(1)
        let message = [UInt8](repeating: 7, count: 5_000)
        for round in 0..<1_000 {
            _ = queue.append(message, from: 1)
            if round > 0 { _ = take(message.count, of: &queue) }
            #expect(front(of: queue) == message)
        }
        // It has no word for this: nobody but a test would ask.
        let pieces = try #require(Mirror(reflecting: queue).descendant("pieces"))
        #expect(Mirror(reflecting: pieces).children.count < 200)
    }

    @Test("puts small messages side by side, so that one of a byte costs no memory of its own")
    func small() throws {
        var queue = StdinQueue()
        for writer: UInt64 in 1...2 { _ = queue.join(writer) }
        for round in 0..<4_096 { _ = queue.append([7], from: UInt64(round % 2 + 1)) }
        let pieces = try #require(Mirror(reflecting: queue).descendant("pieces"))
        #expect(Mirror(reflecting: pieces).children.count == 1)
        _ = queue.append([UInt8](repeating: 8, count: 4_096), from: 1)
        #expect(front(of: queue)?.count == 4_096)
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
