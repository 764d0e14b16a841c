internal import CLinux
internal import Glibc
internal import Synchronization

/// Loops with a thread each. The threads take no signals but those that their own faults raise.
///
/// Must be shut down before it goes away: its threads don't end by themselves.
package final class EventLoopGroup: Sendable {
    /// The loops; all of them run.
    package let loops: [EventLoop]
    private let threads: Mutex<[pthread_t]>
    private let turn = Atomic<Int>(0)

    /// Starts `count` loops, named `name`-0 and so on.
    package init(count: Int, name: String) throws(Errno) {
        precondition(count > 0, "a group has at least one loop")
        var loops: [EventLoop] = []
        for index in 0..<count { loops.append(try EventLoop(name: "\(name)-\(index)")) }
        self.loops = loops
        threads = Mutex(try EventLoopGroup.start(loops))
    }

    deinit {
        precondition(threads.withLock { $0.isEmpty }, "a group of loops was not shut down")
    }

    /// One of the loops, in turn. Any thread.
    package func next() -> EventLoop {
        let turn = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(UInt(bitPattern: turn) % UInt(loops.count))]
    }

    /// Stops all loops and waits for their threads; at once where that was done. Not on a loop.
    package func shutdown() {
        precondition(!loops.contains { $0.isCurrent }, "a loop cannot wait for itself")
        let mine = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for loop in loops { loop.stop() }
        for thread in mine { pthread_join(thread, nil) }
    }

    private static func start(_ loops: [EventLoop]) throws(Errno) -> [pthread_t] {
        var asynchronous = sigset_t()
        var before = sigset_t()
        el_asynchronous_signals(&asynchronous)
        // A thread is born with its maker's mask: blocked before, so that it never has another.
        pthread_sigmask(SIG_SETMASK, &asynchronous, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var threads: [pthread_t] = []
        for loop in loops {
            var thread = pthread_t()
            let context = Unmanaged.passRetained(loop)
            let answer = pthread_create(&thread, nil, runLoop, context.toOpaque())
            if answer == 0 {
                threads.append(thread)
                continue
            }
            context.release()
            for loop in loops { loop.stop() }
            for thread in threads { pthread_join(thread, nil) }
            throw Errno(answer)
        }
        return threads
    }
}

/// A loop thread's body; `context` is the loop, retained for it.
private func runLoop(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a loop thread is given its loop") }
    let loop = Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue()
    el_name_thread(loop.name)
    loop.run()
    return nil
}
