internal import Glibc
internal import Synchronization
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct EventLoopJobsTests {
    /// Counts its wakes, and tells when a number of them is reached.
    final class Target: LoopTarget {
        let count = Atomic<Int>(0)
        let goal: Int
        let reached: @Sendable () -> Void

        init(goal: Int, reached: @escaping @Sendable () -> Void) {
            self.goal = goal
            self.reached = reached
        }

        func woken() {
            if count.add(1, ordering: .relaxed).newValue == goal { reached() }
        }
    }

    @Test func `runs jobs in the order they were posted`() async throws {
        try await withLoop { loop in
            let ran = Shared<[Int]>([])
            for number in 0..<1000 { loop.execute { ran.change { $0.append(number) } } }
            try await loop.perform {}
            #expect(ran.value == Array(0..<1000))
        }
    }

    @Test func `lets a timer have its turn between jobs that take long`() async throws {
        try await withLoop { loop in
            let ran: Int = try await loop.finish { done in
                let count = Shared(0)
                for _ in 0..<60 {
                    loop.execute {
                        let began = SystemClocks().now
                        while SystemClocks().now - began < .milliseconds(2) {}
                        count.change { $0 += 1 }
                    }
                }
                loop.schedule(after: .zero) { done(count.value) }
            }
            #expect((1...30).contains(ran))
        }
    }

    @Test func `runs some jobs in a turn that is over already`() async throws {
        try await withLoop { loop in
            let count = Shared(0)
            let ran: Int = try await loop.finish { done in
                for _ in 0..<20 { loop.execute { count.change { $0 += 1 } } }
                loop.schedule(after: .zero) { done(count.value) }
                let began = SystemClocks().now
                while SystemClocks().now - began < .milliseconds(20) {}
            }
            #expect(ran > 1)
        }
    }

    @Test func `loses no wake of many threads`() async throws {
        try await withLoops(5) { loops in
            let (each, threads) = (20_000, loops.dropFirst())
            let promise = Promise<Void>()
            let target = Target(goal: each * threads.count) {
                promise.resume(with: .success(()))
            }
            for thread in threads {
                thread.execute { for _ in 0..<each { loops[0].wake(target) } }
            }
            try await promise.value
            try await loops[0].perform {}
            #expect(target.count.load(ordering: .relaxed) == each * threads.count)
        }
    }

    @Test func `wakes a loop that sleeps, again and again`() async throws {
        try await withLoops(2) { loops in
            // Each wake finds the other loop asleep or falling asleep.
            final class Ball: LoopTarget {
                let loops: [EventLoop]
                let rounds = Atomic<Int>(20_000)
                let done: @Sendable () -> Void
                init(_ loops: [EventLoop], done: @escaping @Sendable () -> Void) {
                    self.loops = loops
                    self.done = done
                }
                func woken() {
                    let left = rounds.subtract(1, ordering: .relaxed).newValue
                    left == 0 ? done() : loops[left % 2].wake(self)
                }
            }
            let promise = Promise<Void>()
            loops[0].wake(Ball(loops) { promise.resume(with: .success(())) })
            try await promise.value
        }
    }

    @Test func `runs what its own thread posts in the same turn`() async throws {
        try await withLoop { loop in
            let order: [String] = try await loop.finish { done in
                let order = Shared<[String]>([])
                loop.schedule(after: .zero) { done(order.value) }
                loop.wake(Target(goal: 1) { order.change { $0.append("woken") } })
                loop.execute { order.change { $0.append("job") } }
                order.change { $0.append("posted") }
            }
            #expect(order == ["posted", "woken", "job"])
        }
    }

    @Test func `serves descriptors and timers while somebody posts without end`() async throws {
        final class Restless: LoopTarget {
            let loop: EventLoop
            init(_ loop: EventLoop) { self.loop = loop }
            func woken() { loop.wake(self) }
        }
        try await withLoop { loop in
            loop.wake(Restless(loop))
            let pipe = try readablePipe()
            try await loop.readiness(of: pipe, for: .readable)
            let _: Int = try await loop.finish { done in
                loop.schedule(after: .milliseconds(1)) { done(1) }
            }
        }
    }

    @Test func `runs what was posted before the stop`() async throws {
        let ran = Shared(0)
        let loop = try EventLoop(name: "test")
        loop.execute {
            loop.stop()
            loop.execute { ran.change { $0 += 1 } }
        }
        loop.execute { ran.change { $0 += 1 } }
        let promise = Promise<Void>()
        let context = Unmanaged.passRetained(
            Runner(loop) { promise.resume(with: .success(())) }
        )
        var thread = pthread_t()
        #expect(pthread_create(&thread, nil, runRunner, context.toOpaque()) == 0)
        pthread_detach(thread)
        try await promise.value
        #expect(ran.value == 2)
        #expect(!loop.isCurrent)
    }

    @Test func `runs timers by deadline, never early, and not those that were cancelled`()
        async throws
    {
        try await withLoop { loop in
            let order: [String] = try await loop.finish { done in
                var order: [String] = []
                let start = SystemClocks().now
                loop.schedule(after: .milliseconds(20)) {
                    let early = SystemClocks().now - start < .milliseconds(20)
                    done(order + [early ? "early" : "last"])
                }
                loop.schedule(after: .milliseconds(10)) { order.append("b") }
                loop.schedule(after: .milliseconds(10)) { order.append("c") }
                let cancelled = loop.schedule(after: .milliseconds(5)) { order.append("no") }
                loop.schedule(after: .milliseconds(1)) {
                    order.append("a")
                    loop.cancel(cancelled)
                }
            }
            #expect(order == ["a", "b", "c", "last"])
        }
    }

    @Test func `counts a timer from when it was set, however long the turn had taken by then`()
        async throws
    {
        try await withLoop { loop in
            let waited: Duration = try await loop.finish { done in
                let turn = loop.now
                while SystemClocks().now - turn < .milliseconds(5) {}
                let set = SystemClocks().now
                loop.schedule(after: .milliseconds(5)) { done(SystemClocks().now - set) }
            }
            #expect(waited >= .milliseconds(5))
        }
    }

    @Test func `runs a timer at no distance in the next turn`() async throws {
        try await withLoop { loop in
            let turns: [Instant] = try await loop.finish { done in
                var turns = [loop.now]
                func again() {
                    turns.append(loop.now)
                    turns.count == 5 ? done(turns) : (_ = loop.schedule(after: .zero, again))
                }
                loop.schedule(after: .zero, again)
            }
            #expect(Set(turns).count == 5)
            #expect(turns == turns.sorted())
        }
    }

    @Test func `interrupts no thread of a group with a signal`() async throws {
        try await withLoop { loop in
            let blocked = try await loop.perform { () -> [Bool] in
                var mask = sigset_t()
                pthread_sigmask(SIG_SETMASK, nil, &mask)
                return [SIGTERM, SIGPIPE, SIGCHLD, SIGSEGV, SIGABRT]
                    .map { sigismember(&mask, $0) == 1 }
            }
            #expect(blocked == [true, true, true, false, false])
        }
    }

    @Test func `hands out its loops in turn, and joins them all`() async throws {
        let group = try EventLoopGroup(count: 3, name: "test")
        let names = (0..<6).map { _ in group.next().name }
        #expect(names == ["test-0", "test-1", "test-2", "test-0", "test-1", "test-2"])
        let current = try await group.loops[1].perform {
            group.loops.map(\.isCurrent)
        }
        #expect(current == [false, true, false])
        group.shutdown()
        group.shutdown()
        #expect(group.loops.allSatisfy { !$0.execute {} })
    }

    @Test func `traps when a group waits for itself or is forgotten`() async {
        await #expect(processExitsWith: .failure) {
            let group = try EventLoopGroup(count: 1, name: "test")
            try await group.next().perform { group.shutdown() }
        }
        await #expect(processExitsWith: .failure) {
            _ = try EventLoopGroup(count: 1, name: "test")
        }
    }
}

@Suite struct MailboxTests {
    @Test func `rings once for each sleep, and only then`() {
        var mailbox = Mailbox()
        var batch: [Mailbox.Letter] = []
        let awake = mailbox.post(.job {})
        let refusesToSleep = !mailbox.fallAsleep()
        mailbox.collect(into: &batch)
        #expect(awake == .delivered && refusesToSleep && batch.count == 1)
        batch.removeAll()
        let sleeps = mailbox.fallAsleep()
        let (first, second) = (mailbox.post(.job {}), mailbox.post(.job {}))
        #expect(sleeps && first == .mustRing && second == .delivered)
        mailbox.collect(into: &batch)
        let third = mailbox.post(.job {})
        #expect(batch.count == 2 && third == .delivered)
    }

    @Test func `does not ask for a ring once the loop woke by itself`() {
        var mailbox = Mailbox()
        var batch: [Mailbox.Letter] = []
        let sleeps = mailbox.fallAsleep()
        mailbox.collect(into: &batch)
        let posted = mailbox.post(.job {})
        #expect(sleeps && posted == .delivered)
    }

    @Test func `rings for a stop, and keeps a stopping loop awake`() {
        var mailbox = Mailbox()
        let sleeps = mailbox.fallAsleep()
        let stopped = mailbox.stop()
        let sleepsAgain = mailbox.fallAsleep()
        #expect(sleeps && stopped == .mustRing && mailbox.isStopping && !sleepsAgain)
        let last = mailbox.post(.job {})
        let left = mailbox.close()
        let late = mailbox.post(.job {})
        #expect(last == .delivered && left.count == 1 && late == .refused)
    }
}

private final class Runner {
    let loop: EventLoop
    let done: () -> Void

    init(_ loop: EventLoop, done: @escaping () -> Void) {
        self.loop = loop
        self.done = done
    }
}

private func runRunner(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let runner = Unmanaged<Runner>.fromOpaque(context).takeRetainedValue()
    runner.loop.run()
    runner.done()
    return nil
}
