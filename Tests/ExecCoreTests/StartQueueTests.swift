import Testing

@testable import ExecCore

@Suite("The queue of starts")
struct StartQueueTests {
    /// A queue that expectations may change.
    private final class Starts {
        private var queue = StartQueue<Int>(ownUser: 0)

        func enter(_ number: Int, of user: UInt32) -> Bool { queue.enter(number, of: user) }

        /// The number and the user of the start that begins instead; empty: none does.
        func leave(_ user: UInt32) -> [Int] {
            queue.leave(user).map { [$0.entry, Int($0.user)] } ?? []
        }

        func getStuck() -> Bool { queue.getStuck() }

        func stuckEnds() { queue.stuckEnds() }
    }

    private let share = StartQueue<Int>.perUserMax
    private let starts = Starts()

    private func fill(_ user: UInt32) {
        for number in 0..<share { #expect(starts.enter(number, of: user)) }
    }

    @Test("gives one user its share, and keeps the others' free")
    func oneUser() {
        fill(7)
        #expect(!starts.enter(100, of: 7))
        #expect(!starts.enter(101, of: 7))
        #expect(starts.enter(0, of: 0))
        #expect(starts.enter(0, of: 8))
        #expect(starts.leave(8) == [])
        #expect(starts.leave(7) == [100, 7])
        #expect(starts.leave(7) == [101, 7])
        #expect(starts.leave(7) == [])
        #expect(starts.enter(102, of: 7))
    }

    @Test("lets the server's own user start, whatever all others have")
    func ownUser() {
        for user in 1...(StartQueue<Int>.othersMax / share) { fill(UInt32(user)) }
        #expect(!starts.enter(5, of: 99))
        fill(0)
        #expect(!starts.enter(1_000, of: 0))
        #expect(starts.leave(0) == [1_000, 0])
        #expect(starts.leave(1) == [5, 99])
    }

    @Test("takes the others in turn, and passes by those that have their share")
    func turns() {
        for user: UInt32 in 1...3 { fill(user) }
        for number in 0..<3 { #expect(!starts.enter(number, of: 1)) }
        for number in 10..<13 { #expect(!starts.enter(number, of: 4)) }
        // One of user 2 leaves: user 1 has its share still.
        #expect(starts.leave(2) == [10, 4])
        #expect(starts.leave(1) == [0, 1])
        #expect(starts.leave(3) == [11, 4])
    }

    @Test("counts processes that can't be ended apart, up to a bound")
    func stuck() {
        for _ in 0..<StartQueue<Int>.stuckMax { #expect(starts.getStuck()) }
        #expect(!starts.getStuck())
        starts.stuckEnds()
        #expect(starts.getStuck())
    }
}
