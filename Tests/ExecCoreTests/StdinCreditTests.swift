import Testing

@testable import ExecCore

@Suite("How much stdin each writer of an exec may send")
struct StdinCreditTests {
    private let pool = StdinCredit.poolBytes
    private let windowMax = StdinCredit.windowMax

    /// Joins writers 1 to `count`; returns their first credit.
    private func join(_ count: UInt64, _ credit: inout StdinCredit) -> [Int] {
        (1...count).map { credit.join($0) }
    }

    /// A writer sends all of its credit, and the exec takes it in pieces of 1 KiB, `rounds` times.
    /// Returns the writer's credit after that.
    private func write(
        _ writer: UInt64,
        with start: Int,
        rounds: Int,
        _ credit: inout StdinCredit,
    ) -> Int {
        var unused = start
        for _ in 0..<rounds {
            credit.sent(unused, by: writer)
            var left = unused
            unused = 0
            while left > 0 {
                let count = min(left, 1_024)
                unused += credit.taken(count, from: writer)
                left -= count
            }
        }
        return unused
    }

    @Test(
        "gives every writer a first grant, whatever the number of writers",
        arguments: [
            (1, 4_096), (2, 4_096), (256, 4_096), (257, 4_080), (1_000, 1_048), (4_096, 256),
            (100_000, 256),
        ]
    )
    func firstGrants(_ count: Int, _ grant: Int) {
        #expect(StdinCredit.firstGrant(ofWriter: count) == grant)
    }

    @Test("gives the first writer a whole window, and 999 others a line each")
    func everybodyMayWrite() {
        var credit = StdinCredit()
        let grants = join(1_000, &credit)
        #expect(grants[0] == windowMax)
        #expect(grants[1...].allSatisfy { $0 >= 1_024 })
        // 4 KiB for 256 writers, and the harmonic sum for the others.
        #expect(grants[1...].reduce(0, +) < 5 << 19)
    }

    @Test("gives one busy writer its whole window, however many others are idle")
    func busyAmongIdle() {
        var credit = StdinCredit()
        let grants = join(1_000, &credit)
        #expect(write(1_000, with: grants[999], rounds: 12, &credit) >= 48 << 10)
        // The others have lost nothing: each still has what it was granted.
        #expect(write(500, with: grants[499], rounds: 1, &credit) > grants[499])
    }

    @Test("shares the pool evenly among writers that are all busy", arguments: [2, 4, 20, 200])
    func evenShares(_ count: UInt64) {
        var credit = StdinCredit()
        var unused = join(count, &credit)
        for _ in 0..<40 {
            for index in unused.indices {
                unused[index] = write(UInt64(index + 1), with: unused[index], rounds: 1, &credit)
            }
        }
        let (least, most) = (unused.min() ?? 0, unused.max() ?? 0)
        #expect(least >= 4_096)
        #expect(most <= 2 * least)
        let shared = unused.reduce(0) { $0 + $1 - 4_096 }
        #expect(shared <= pool)
    }

    @Test("keeps a share for a newcomer beside writers that hoard theirs")
    func hoarders() {
        var credit = StdinCredit()
        let grants = join(20, &credit)
        for writer: UInt64 in 1...20 {
            // It gets all that it can, and never sends again.
            _ = write(writer, with: grants[Int(writer) - 1], rounds: 10, &credit)
        }
        let first = credit.join(21)
        #expect(first == 4_096)
        #expect(write(21, with: first, rounds: 10, &credit) > first)
    }

    @Test("takes the larger window back from a writer where others need it")
    func givesBack() {
        var credit = StdinCredit()
        var alone = credit.join(1)
        #expect(alone == windowMax)
        var others = (2...40).map { credit.join(UInt64($0)) }
        for _ in 0..<40 {
            for index in others.indices {
                others[index] = write(UInt64(index + 2), with: others[index], rounds: 1, &credit)
            }
            alone = write(1, with: alone, rounds: 1, &credit)
        }
        #expect(alone < 16 << 10)
        #expect(alone >= 4_096)
    }

    @Test("lets a new writer wait while too much of those that have left is not taken")
    func departed() {
        var credit = StdinCredit()
        var left: [Int] = []
        var writer: UInt64 = 0
        while true {
            writer += 1
            let grant = credit.join(writer)
            if grant == 0 { break }
            credit.sent(grant, by: writer)
            credit.leave(writer)
            left.append(grant)
        }
        let total = left.reduce(0, +)
        #expect(total > pool)
        #expect(total <= pool + windowMax)
        #expect(credit.join(writer + 1) == 0)
        credit.leave(writer + 1)
        var admitted: [UInt64] = []
        var taken = 0
        while admitted.isEmpty, taken < total {
            taken += 1_024
            #expect(credit.taken(1_024, from: 1) == 0)
            credit.admit { client, bytes in
                admitted.append(client)
                #expect(bytes > 0)
            }
        }
        #expect(admitted == [writer])
        #expect(total - taken <= pool)
    }
}

/// Random writers of one exec, who join, send, hoard and leave, and an exec that reads at random.
@Suite("The stdin of an exec with random writers")
struct StdinSimulationTests {
    private struct Writer {
        var unused: Int
        /// Bytes that the exec has taken since the writer began to wait for credit; nil: it has some.
        var takenWhileWaiting: Int?
    }

    /// How many bytes the exec may take at most until a writer without credit has some.
    private static func patience(_ writersMax: Int) -> Int {
        (1...writersMax).reduce(2 * StdinCredit.poolBytes) {
            $0 + StdinCredit.firstGrant(ofWriter: $1)
        }
    }

    @Test("stays within its bound, starves no writer, and keeps bytes in order", arguments: 1...12)
    func simulate(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let writersMax = [3, 30, 300][random.below(3)]
        let bound = Self.patience(writersMax)
        var queue = StdinQueue()
        var writers: [UInt64: Writer] = [:]
        var sent: [UInt8] = []
        var (taken, next) = (0, UInt64(1))
        for _ in 0..<2_000 {
            switch random.below(10) {
            case 0...1 where writers.count < writersMax:
                let credit = queue.join(next)
                writers[next] = Writer(unused: credit, takenWhileWaiting: credit == 0 ? 0 : nil)
                next += 1
            case 2 where random.oneIn(4):
                guard let gone = writers.keys.sorted().randomElement(using: &random) else { break }
                queue.leave(gone)
                writers[gone] = nil
            case 3...6:
                let ready = writers.filter { $0.value.unused > 0 }.keys.sorted()
                guard let writer = ready.randomElement(using: &random) else { break }
                let unused = writers[writer]?.unused ?? 0
                let count = random.oneIn(3) ? unused : 1 + random.below(min(unused, 200))
                let bytes = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: random.next()),
                    count: count
                )
                let isTaken = queue.append(bytes, from: writer)
                #expect(isTaken)
                sent += bytes
                writers[writer]?.unused -= count
                if count == unused { writers[writer]?.takenWhileWaiting = 0 }
            default:
                var grants: StdinQueue.Grants = [:]
                let front = queue.withFront { bytes in bytes.withUnsafeBytes { Array($0) } } ?? []
                guard !front.isEmpty else { break }
                let count = 1 + random.below(front.count)
                queue.take(count, &grants)
                try #require(Array(front.prefix(count)) == Array(sent[taken..<(taken + count)]))
                taken += count
                for (writer, bytes) in grants {
                    try #require(writers[writer] != nil, "credit for a writer that has left")
                    writers[writer]?.unused += bytes
                    writers[writer]?.takenWhileWaiting = nil
                }
                for writer in writers.keys {
                    guard let waited = writers[writer]?.takenWhileWaiting else { continue }
                    writers[writer]?.takenWhileWaiting = waited + count
                    try #require(waited <= bound, "writer \(writer) waits for credit")
                }
            }
            try #require(sent.count - taken <= bound)
        }
    }
}
