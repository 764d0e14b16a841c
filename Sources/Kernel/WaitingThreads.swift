internal import CLinux
internal import Glibc
internal import Synchronization

/// A few threads for calls that may hang and that nothing can break off, such as those to a name service.
/// Any thread.
///
/// Threads are made when they are needed and end after a second without a job. At most `threadsMax` of them
/// hang; then jobs wait, at most `jobsMax`. Whoever hands a job in has a deadline of its own.
package final class WaitingThreads: Sendable {
    private let name: String
    private let threadsMax: Int
    private let jobsMax: Int
    private let state = Mutex(State())
    /// Posted once for each idle thread that is to look for a job. Kept for as long as a thread has this.
    private nonisolated(unsafe) let bell: UnsafeMutablePointer<sem_t>

    private struct State {
        var jobs: [@Sendable () -> Void] = []
        /// `jobs` before this one have been taken.
        var head = 0
        var threads = 0
        var idle = 0

        mutating func takeJob() -> (@Sendable () -> Void)? {
            guard head < jobs.count else {
                jobs.removeAll(keepingCapacity: jobs.capacity <= 64)
                head = 0
                return nil
            }
            defer { head += 1 }
            return jobs[head]
        }
    }

    private static let idleSeconds = 1

    package init(name: String, threadsMax: Int, jobsMax: Int) {
        self.name = name
        self.threadsMax = threadsMax
        self.jobsMax = jobsMax
        bell = .allocate(capacity: 1)
        sem_init(bell, 0, 0)
    }

    deinit {
        sem_destroy(bell)
        bell.deallocate()
    }

    /// Runs `job` on one of the threads, after those that wait. False: as many wait as may, or there is no
    /// thread to be had.
    package func run(_ job: @escaping @Sendable () -> Void) -> Bool {
        let needsThread: Bool? = state.withLock { state in
            guard state.jobs.count - state.head < jobsMax else { return nil }
            state.jobs.append(job)
            if state.idle > 0 {
                state.idle -= 1
                sem_post(bell)
                return false
            }
            guard state.threads < threadsMax else { return false }
            state.threads += 1
            return true
        }
        guard let needsThread else { return false }
        return !needsThread || startThread()
    }

    private func startThread() -> Bool {
        var asynchronous = sigset_t()
        var before = sigset_t()
        el_asynchronous_signals(&asynchronous)
        pthread_sigmask(SIG_SETMASK, &asynchronous, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        guard pthread_create(&thread, nil, runWaitingThread, context.toOpaque()) == 0 else {
            context.release()
            return state.withLock { state in
                state.threads -= 1
                // Others come to the job in their turn.
                if state.threads > 0 { return true }
                _ = state.jobs.popLast()
                return false
            }
        }
        // It may hang for ever: nobody joins it.
        pthread_detach(thread)
        return true
    }

    fileprivate func work() {
        el_name_thread(name)
        while true {
            while let job = state.withLock({ $0.takeJob() }) { job() }
            let mayIdle = state.withLock { state in
                if state.head < state.jobs.count { return false }
                state.idle += 1
                return true
            }
            guard mayIdle else { continue }
            if waitForBell() { continue }
            let isOver = state.withLock { state in
                // Somebody has just counted on this one.
                if state.idle == 0 { return false }
                state.idle -= 1
                state.threads -= 1
                return true
            }
            if isOver { return }
        }
    }

    /// False: nobody has rung for a while.
    private func waitForBell() -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += Self.idleSeconds
        while sem_timedwait(bell, &deadline) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}

private func runWaitingThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread is given its set") }
    Unmanaged<WaitingThreads>.fromOpaque(context).takeRetainedValue().work()
    return nil
}
