import ExecModel
import Glibc
import Synchronization
import Testing

@testable import ExecCore

@Suite("Those who wait for an exec or for events", .timeLimit(.minutes(2)))
struct DepartureTests {
    private static let few = 1_000
    private static let factor = 16
    /// Far more than `factor`, for a machine that is busy; and far less than its square.
    private static let ratioMax = 80.0

    @Test("leave at a cost that does not depend on how many others wait for output")
    func viewers() throws {
        func cost(_ count: Int) throws -> Double {
            try withDirectory { directory in
                let registry = ExecSessionRegistry(
                    configuration: RegistryConfiguration(stateDirectory: directory)
                )
                let instance = try registry.register(try ExecKey(container: "c", exec: "e"))
                let batch = ViewerBatch()
                let viewers = try (0..<count).map { _ in
                    let viewer = try instance.attach(View(), waker: FakeWaker()).viewer
                    while true {
                        batch.removeAll()
                        if case .caughtUp = viewer.pull(into: batch, bytesMax: 99) { break }
                    }
                    return viewer
                }
                #expect(instance.state.withLock { $0.parked.count } == count)
                // From the newest on: whoever looks for them from the oldest on passes all others.
                let spent = threadSeconds { for viewer in viewers.reversed() { viewer.detach() } }
                #expect(instance.state.withLock { $0.parked.count } == 0)
                return spent
            }
        }
        let few = try cost(Self.few)
        #expect(try cost(Self.few * Self.factor) < few * Self.ratioMax)
    }

    @Test("leave at a cost that does not depend on how many others wait for events")
    func subscribers() throws {
        func cost(_ count: Int) throws -> Double {
            let journal = EventJournal(capacity: 4)
            var cursors = try (0..<count).map { _ in try journal.subscribe(after: 0) }
            for index in cursors.indices {
                guard
                    case .parked = journal.pull(
                        &cursors[index],
                        container: "",
                        parking: FakeWaker()
                    )
                else {
                    Issue.record("there is an event")
                    return 0
                }
            }
            return threadSeconds {
                for index in cursors.indices.reversed() { journal.unsubscribe(&cursors[index]) }
            }
        }
        let few = try cost(Self.few)
        #expect(try cost(Self.few * Self.factor) < few * Self.ratioMax)
    }

    @Test("are woken once, unless they have left; and a place that was left is taken again")
    func places() throws {
        var parked = ParkedWakers()
        let wakers = (0..<6).map { _ in FakeWaker() }
        var tickets = wakers.map { _ in ParkedWakers.Ticket() }
        for round in 1...3 {
            for index in 0..<4 { parked.park(wakers[index], &tickets[index]) }
            parked.park(wakers[0], &tickets[0])
            #expect(parked.count == 4)
            for index in [1, 3, 1] { parked.leave(&tickets[index]) }
            #expect(parked.count == 2)
            for index in [4, 5] { parked.park(wakers[index], &tickets[index]) }
            let taken = parked.takeAll()
            #expect(taken.count == 4, "round \(round)")
            for waker in taken { waker?.wake() }
            #expect(wakers.map { $0.take() } == [true, false, true, false, true, true])
            // What they hold is of no use any more.
            for index in tickets.indices { parked.leave(&tickets[index]) }
            #expect(parked.count == 0)
        }
    }

    @Test("have their turn after 256 events that are not for them")
    func otherContainers() throws {
        let journal = EventJournal(capacity: 1_000)
        let waker = FakeWaker()
        var cursor = try journal.subscribe(after: 0)
        for number in 1...700 {
            let info = ExecInfo(containerID: number == 700 ? "mine" : "other", execID: "e")
            journal.append(.registered, info: info, unixNS: 1)
        }
        var pulls = 0
        while true {
            pulls += 1
            switch journal.pull(&cursor, container: "mine", parking: waker) {
            case .more: continue
            case .parked: Issue.record("the event was passed over")
            case .event(let event): #expect(event.sequence == 700)
            }
            break
        }
        #expect(pulls == 3)
    }

    /// The processor time that `body` takes, whatever else the machine does.
    private func threadSeconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let begin = now()
        body()
        return now() - begin
    }
}
