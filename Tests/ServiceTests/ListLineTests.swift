import Kernel
import Synchronization
import Testing

@testable import ExecServer

@Suite("The lists of one identity", .timeLimit(.minutes(1)))
struct ListLineTests {
    @Test("are gathered two at a time, in the order in which they came, and all are")
    func order() throws {
        let group = try EventLoopGroup(count: 1, name: "test")
        defer { group.shutdown() }
        let loop = group.loops[0]
        let begun = Mutex<[Int]>([])
        let most = Atomic(0)
        let over = Atomic(0)
        loop.execute {
            let (work, line) = (SlicedWork(on: loop), ListLine())
            var running: Set<Int> = []
            for number in 0..<50 {
                var left = 5
                line.add(to: work) {
                    // Kept here, so that it lives as long as its jobs.
                    withExtendedLifetime(work) {}
                    if left == 5 { begun.withLock { $0.append(number) } }
                    running.insert(number)
                    most.max(running.count, ordering: .relaxed)
                    left -= 1
                    if left > 0 { return true }
                    running.remove(number)
                    over.add(1, ordering: .releasing)
                    return false
                }
            }
        }
        while over.load(ordering: .acquiring) < 50 {}
        #expect(begun.withLock { $0 } == Array(0..<50))
        #expect(most.load(ordering: .relaxed) == ListLine.runningMax)
    }
}
