internal import CLinux
internal import Glibc
internal import Synchronization

/// One thread's events: descriptors, timers, and what other threads hand over.
///
/// A turn: wait; tell handlers what is ready; run due timers; run jobs and wakes until none is left
/// (at most `passesMax` rounds, so that posting without end cannot starve the descriptors).
///
/// Level-triggered, so nothing has to be remembered and no wake-up can be lost. Nothing is polled:
/// without a timer the wait has no end. Unless said otherwise, members are for the loop's thread.
package final class EventLoop: Sendable {
    /// For logs, and the thread's name.
    package let name: String

    let epoll: Descriptor
    private let doorbell: Descriptor
    private let mailbox = Mutex(Mailbox())
    /// The thread inside `run`; 0: none.
    private let owner = Atomic<UInt>(0)

    // The loop's own state. Guard: only the thread in `owner` touches it (assertCurrent), and run()
    // hands it from one such thread to the next through `owner` (acquire and release).
    nonisolated(unsafe) var table = RegistrationTable()
    nonisolated(unsafe) var timers = TimerHeap<() -> Void>()
    nonisolated(unsafe) var turnStart = Instant(nanoseconds: 0)
    nonisolated(unsafe) private(set) var hasEnded = false
    nonisolated(unsafe) private var batch: [Mailbox.Letter] = []
    /// The first of these that has not run: above 0 only where a turn has left some.
    nonisolated(unsafe) private var firstLetter = 0
    nonisolated(unsafe) private let events: UnsafeMutableBufferPointer<epoll_event>
    nonisolated(unsafe) private let scratchBuffer: UnsafeMutableRawBufferPointer

    private static let eventsMax = 256
    /// For what handlers have handed over, for what came of that, and for what other threads posted
    /// meanwhile, which would else cost a wait of its own. What goes on from there waits until the
    /// descriptors have had their turn.
    private static let passesMax = 4
    /// When the loop ends nothing waits any more.
    private static let lastPassesMax = 8
    private static let scratchBytes = 256 * 1024
    /// What a turn should take at most, by those who look.
    private static let turnTime = Duration.milliseconds(8)
    /// After how many wakes the clock is read: most cost little. After a job, whose cost nobody knows, it
    /// is read at once.
    private static let wakesPerClock = 8
    /// What letters have of a turn that handlers and timers have used up.
    private static let letterTime = Duration.milliseconds(2)

    /// After how many timers the clock is read.
    private static let timersPerClock = 16

    /// Makes a loop; nothing happens before a thread calls `run`.
    package init(name: String) throws(Errno) {
        self.name = name
        epoll = Descriptor(owning: try SystemCall.value { el_epoll_create() })
        doorbell = Descriptor(owning: try SystemCall.value { el_eventfd() })
        events = .allocate(capacity: EventLoop.eventsMax)
        events.initialize(repeating: epoll_event())
        scratchBuffer = .allocate(byteCount: EventLoop.scratchBytes, alignment: 4096)
        let (epoll, doorbell) = (epoll.number, doorbell.number)
        // Edge-triggered, so that ringing needs no answer: the counter is never read.
        try SystemCall.value {
            el_epoll_control(
                epoll,
                EPOLL_CTL_ADD,
                doorbell,
                EPOLLIN.rawValue | EPOLLET.rawValue,
                Registration.doorbell.eventData,
            )
        }
    }

    deinit {
        events.deallocate()
        scratchBuffer.deallocate()
    }

    /// Makes the calling thread the loop's until `stop`; then lets go of all handlers and timers.
    /// Jobs posted before `stop` have then run; SIGPIPE stays blocked in the thread.
    package func run() {
        let (claimed, _) = owner.compareExchange(
            expected: 0,
            desired: EventLoop.currentThread,
            ordering: .acquiring,
        )
        precondition(claimed, "loop \(name) already has a thread")
        precondition(!hasEnded, "loop \(name) has ended; a loop runs once")
        el_block_sigpipe()
        turnStart = SystemClocks().now
        while !turn() {}
        end()
        owner.store(0, ordering: .releasing)
    }

    /// Ends `run` after the current turn. Any thread.
    package func stop() {
        if mailbox.withLock({ $0.stop() }) == .mustRing { ring() }
    }

    /// Whether the calling thread is the loop's. Any thread.
    package var isCurrent: Bool {
        owner.load(ordering: .relaxed) == EventLoop.currentThread
    }

    /// Traps where the calling thread isn't the loop's. Any thread.
    package func assertCurrent(_ caller: StaticString = #function) {
        precondition(isCurrent, "\(caller) is for the thread of loop \(name) only")
    }

    /// When this turn began. Cheap; close enough for deadlines.
    package var now: Instant {
        assertCurrent()
        return turnStart
    }

    /// When this turn should be over: who is called back later does the least it can, and goes on in the
    /// next turn, so that many who are called back in one turn can't make it long.
    package var turnEnd: Instant {
        assertCurrent()
        return turnStart + EventLoop.turnTime
    }

    /// Whether that has come, by the clock.
    package var isTurnOver: Bool { SystemClocks().now >= turnEnd }

    /// 256 KiB for whoever is being called back, until it returns: what it holds after that is
    /// anybody's.
    package var scratch: UnsafeMutableRawBufferPointer {
        assertCurrent()
        return scratchBuffer
    }

    private static var currentThread: UInt { UInt(pthread_self()) }
}

// MARK: From any thread

extension EventLoop {
    /// Runs `job` on the loop, after all that was posted before. Any thread. False: the loop has
    /// ended, and the job was dropped.
    @discardableResult
    package func execute(_ job: @escaping @Sendable () -> Void) -> Bool {
        post(.job(job))
    }

    /// Runs `body` on the loop, after all that was posted before, and waits for it. From a thread that
    /// may wait, which a loop's may not; and only while the loop runs, or is about to.
    package func perform(
        _ body: @escaping @Sendable () throws(Errno) -> Void,
    ) throws(Errno) {
        precondition(!isCurrent, "loop \(name) cannot wait for itself")
        let outcome = Outcome()
        precondition(execute { outcome.tell(body) }, "loop \(name) has ended")
        try outcome.wait()
    }

    /// Calls `target.woken()` on the loop, after all that was posted before; from the loop's own
    /// thread, at the end of this turn. Any thread. Allocates nothing in the steady state and makes
    /// at most one system call for each time that the loop sleeps. Dropped once the loop has ended.
    package func wake(_ target: any LoopTarget) {
        post(.wake(target))
    }

    @discardableResult
    private func post(_ letter: Mailbox.Letter) -> Bool {
        switch mailbox.withLock({ $0.post(letter) }) {
        case .delivered: return true
        case .refused: return false
        case .mustRing:
            ring()
            return true
        }
    }

    private func ring() {
        let answer = el_eventfd_ring(doorbell.number)
        precondition(answer == 0, "an eventfd takes a ring: \(Errno(-answer))")
    }
}

// MARK: The turn

extension EventLoop {
    /// One turn; true: `stop` was called.
    private func turn() -> Bool {
        let count = wait()
        turnStart = SystemClocks().now
        // Timers that this turn's handlers set are the next turn's, even at no distance.
        let timersBefore = timers.nextOrder
        for index in 0..<count { deliver(events[index]) }
        runTimers(before: timersBefore)
        runLetters(passes: EventLoop.passesMax, untilTurnEnd: true)
        return mailbox.withLock { $0.isStopping }
    }

    /// Runs the timers that are due. Those that the turn's time does not suffice for are due in the next.
    private func runTimers(before order: UInt64) {
        var count = 0
        while let body = timers.popDue(at: turnStart, before: order) {
            body()
            count += 1
            if count % EventLoop.timersPerClock == 0, isTurnOver { return }
        }
    }

    private func wait() -> Int {
        var timeout: Int64 = -1
        if let deadline = timers.nextDeadline {
            timeout = max(0, (deadline - SystemClocks().now).wholeNanoseconds)
        }
        if firstLetter > 0 { timeout = 0 }
        if timeout != 0, !mailbox.withLock({ $0.fallAsleep() }) { timeout = 0 }
        let count = el_epoll_wait(
            epoll.number,
            events.baseAddress,
            Int32(EventLoop.eventsMax),
            timeout,
        )
        if count >= 0 { return Int(count) }
        // Interrupted: a turn without events works the timeout out anew.
        precondition(count == -EINTR, "waiting for events: \(Errno(-count))")
        return 0
    }

    private func deliver(_ event: epoll_event) {
        let registration = Registration(eventData: event.data.u64)
        // No slot: the doorbell, or one that an earlier handler of this turn deregistered.
        guard let slot = table[registration] else { return }
        let readiness = Readiness(events: event.events, interest: slot.interest)
        if !readiness.isEmpty { slot.handler?.ready(readiness) }
    }

    private func runLetters(passes: Int, untilTurnEnd: Bool = false) {
        // Taken out while they run: each look into the loop's own state costs something.
        var letters: [Mailbox.Letter] = []
        swap(&letters, &batch)
        var next = firstLetter
        defer {
            firstLetter = next
            swap(&letters, &batch)
        }
        var wakes = 0
        // When the letters' own time is over, in a turn that was over before.
        var letterEnd: Instant?
        for pass in 0..<passes {
            // Handlers have handed over something again: the descriptors may have waited long enough.
            if untilTurnEnd, pass > 1, isTurnOver { return }
            if letters.isEmpty { mailbox.withLock { $0.collect(into: &letters) } }
            if letters.isEmpty { return }
            while next < letters.count {
                let letter = letters[next]
                next += 1
                switch letter {
                case .job(let job):
                    job()
                    wakes = EventLoop.wakesPerClock
                case .wake(let target):
                    target.woken()
                    wakes += 1
                }
                // So many may have been posted at once that the rest has to wait, too.
                guard untilTurnEnd, wakes >= EventLoop.wakesPerClock, next < letters.count else {
                    continue
                }
                wakes = 0
                if isOverForLetters(since: &letterEnd) { return }
            }
            letters.removeAll(keepingCapacity: true)
            next = 0
        }
    }

    /// Whether the rest of the letters has to wait for the next turn. Where the turn was over before the
    /// first look, they have a little time of their own, or a loop that is always late would run none.
    private func isOverForLetters(since end: inout Instant?) -> Bool {
        let now = SystemClocks().now
        guard now >= turnStart + EventLoop.turnTime else { return false }
        if let end { return now >= end }
        end = now + EventLoop.letterTime
        return false
    }

    private func end() {
        runLetters(passes: EventLoop.lastPassesMax)
        hasEnded = true
        // Let go of here rather than with the loop: they may be what keeps the loop alive. Moved out
        // first, since what goes away with them may still call the loop.
        let letters = mailbox.withLock { $0.close() }
        var (oldTable, oldTimers) = (RegistrationTable(), TimerHeap<() -> Void>())
        swap(&table, &oldTable)
        swap(&timers, &oldTimers)
        withExtendedLifetime((letters, oldTable, oldTimers)) {}
    }
}
