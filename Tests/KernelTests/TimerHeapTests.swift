internal import Testing

@testable internal import Kernel

@Suite struct TimerHeapTests {
    @Test func `yields timers by deadline, and equal ones in the order they came`() {
        var heap = TimerHeap<String>()
        for (name, deadline) in [("c", 30), ("a", 10), ("b1", 20), ("b2", 20), ("b3", 20)] {
            _ = heap.insert(name, at: Instant(nanoseconds: UInt64(deadline)))
        }
        #expect(heap.nextDeadline == Instant(nanoseconds: 10))
        #expect(drain(&heap, now: 20) == ["a", "b1", "b2", "b3"])
        #expect(drain(&heap, now: 29) == [])
        #expect(drain(&heap, now: 30) == ["c"])
        #expect(heap.nextDeadline == nil)
    }

    @Test func `leaves those that came too late for this round`() {
        var heap = TimerHeap<String>()
        _ = heap.insert("early", at: Instant(nanoseconds: 1))
        let round = heap.nextOrder
        _ = heap.insert("late", at: Instant(nanoseconds: 1))
        #expect(heap.popDue(at: Instant(nanoseconds: 9), before: round) == "early")
        #expect(heap.popDue(at: Instant(nanoseconds: 9), before: round) == nil)
        #expect(heap.count == 1)
    }

    @Test func `cancels a timer once, and never the one that took its place`() {
        var heap = TimerHeap<String>()
        let first = heap.insert("first", at: Instant(nanoseconds: 1))
        #expect(heap.cancel(first) == "first")
        #expect(heap.cancel(first) == nil)
        let second = heap.insert("second", at: Instant(nanoseconds: 1))
        #expect(heap.cancel(first) == nil)
        #expect(drain(&heap, now: 1) == ["second"])
        #expect(heap.cancel(second) == nil)
    }

    @Test(arguments: 0..<50)
    func `agrees with a sorted list`(seed: UInt64) {
        var random = SplitMix(state: seed)
        var heap = TimerHeap<Int>()
        var model: [(deadline: UInt64, number: Int, id: TimerID)] = []
        var now: UInt64 = 0
        for number in 0..<500 {
            switch random.next() % 4 {
            case 0, 1:
                let deadline = now + random.next() % 100
                let id = heap.insert(number, at: Instant(nanoseconds: deadline))
                model.append((deadline, number, id))
            case 2 where !model.isEmpty:
                let victim = model.remove(at: Int(random.next() % UInt64(model.count)))
                #expect(heap.cancel(victim.id) == victim.number)
            default:
                now += random.next() % 20
                let due = model.filter { $0.deadline <= now }
                    .sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
                model.removeAll { $0.deadline <= now }
                #expect(drain(&heap, now: now) == due.map(\.number))
            }
            #expect(heap.count == model.count)
            #expect(heap.nextDeadline?.nanoseconds == model.map(\.deadline).min())
        }
    }

    private func drain<Body>(_ heap: inout TimerHeap<Body>, now: UInt64) -> [Body] {
        var bodies: [Body] = []
        while let body = heap.popDue(at: Instant(nanoseconds: now), before: .max) {
            bodies.append(body)
        }
        return bodies
    }
}

/// A small generator whose numbers depend on its seed alone.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct ClockTests {
    @Test func `adds and subtracts durations, and stays in range`() {
        let start = Instant(nanoseconds: 1_000)
        #expect((start + .microseconds(2)).nanoseconds == 3_000)
        #expect((start + .nanoseconds(-400)).nanoseconds == 600)
        #expect((start + .seconds(-1)).nanoseconds == 0)
        #expect((Instant(nanoseconds: .max) + .seconds(1)).nanoseconds == .max)
        #expect(Instant(nanoseconds: 600) - start == .nanoseconds(-400))
        #expect(Instant(nanoseconds: .max) - start > .seconds(1_000_000_000))
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(-1).wholeNanoseconds == -1_000_000_000)
    }

    @Test func `reads clocks that go forward and know the year`() {
        let clocks = SystemClocks()
        let first = clocks.now
        #expect(clocks.now >= first)
        #expect(clocks.unixNS > 1_700_000_000_000_000_000)
    }
}
