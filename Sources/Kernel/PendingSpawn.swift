/// The start of a program that nobody waits for: the loop tells when it runs or has failed.
///
/// Ends by itself: after its deadline the child is killed and the start has failed, wherever the child is.
/// Belongs to its loop's thread.
package final class PendingSpawn: ReadinessHandler {
    package typealias Outcome = Result<ChildProcess, SpawnFailure>

    private let loop: EventLoop
    private let memory: SpawnMemory
    private let cgroup: Cgroup?
    private let method: SpawnMethod
    private let observer: (any SpawnObserver)?
    private let deadline: Duration
    private var standard: StandardDescriptors?
    private var attempt: SpawnAttempt?
    /// Why the child has ended, or is about to.
    private var verdict: SpawnAttempt.Verdict?
    /// Whether a child of this start was killed before its first instruction.
    private var wasKilledAtBirth = false
    private var registration: Registration?
    private var timer: TimerID?
    private var done: ((consuming Outcome) -> Void)?
    private var settled: (() -> Void)?

    /// Where a descriptor can't be watched, it is looked at this often.
    private static let lookTime = Duration.milliseconds(50)

    /// Begins the start, on the loop. `done` is called there, once, later than this returns. `settled` is
    /// called after it, once nothing of a start that has failed is left: a child that can't be killed at the
    /// moment is not waited for.
    ///
    /// Throws what fails before there is a child; then neither is called.
    package init(
        _ request: SpawnRequest,
        _ standard: consuming StandardDescriptors,
        cgroup: Cgroup? = nil,
        within deadline: Duration,
        on loop: EventLoop,
        method: SpawnMethod = .standard,
        observer: (any SpawnObserver)? = nil,
        settled: @escaping () -> Void = {},
        done: @escaping (consuming Outcome) -> Void,
    ) throws(SpawnFailure) {
        loop.assertCurrent()
        if let problem = request.argumentProblem { throw SpawnFailure(argumentProblem: problem) }
        self.loop = loop
        memory = SpawnMemory(request)
        self.cgroup = cgroup
        self.method = method
        self.observer = observer
        self.deadline = deadline
        self.done = done
        self.settled = settled
        self.standard = consume standard
        try begin(entersCgroup: cgroup?.killsNewborns ?? false)
        timer = loop.schedule(after: deadline) { [weak self] in self?.deadlinePassed() }
    }

    /// The child's number, until `done`.
    package var pid: Int32? { attempt?.pid }

    /// Whether the child of a start that was given up is still there.
    package var hasChild: Bool { attempt != nil }

    /// Kills the child, and the start has failed with this message; or, where the program runs already, tells
    /// that now. Nothing once `done` has been called.
    package func cancel(_ message: String) {
        look()
        giveUp(SpawnFailure(cancelled: message))
    }

    package func ready(_ readiness: Readiness) { look() }

    private func begin(entersCgroup: Bool) throws(SpawnFailure) {
        guard let numbers = standard.lend({ $0.numbers }) else {
            preconditionFailure("they are kept until the start has ended")
        }
        let attempt = try SpawnAttempt(
            memory,
            standard: numbers,
            cgroup: cgroup,
            entersCgroup: entersCgroup,
            method: method,
            observer: observer,
        )
        self.attempt = attempt
        watch { (handler) throws(Errno) in try attempt.registerReport(on: self.loop, handler) }
    }

    private func watch(_ register: (any ReadinessHandler) throws(Errno) -> Registration) {
        registration = try? register(self)
        if registration == nil { lookLater() }
    }

    private func stopWatching() {
        if let registration { loop.deregister(registration) }
        registration = nil
    }

    private func lookLater() {
        loop.schedule(after: Self.lookTime) { [self] in look() }
    }

    private func look() {
        guard let attempt else { return }
        if verdict != nil { return collect(attempt) }
        guard let verdict = attempt.takeVerdict() else {
            // Nothing tells it.
            if registration == nil { lookLater() }
            return
        }
        stopWatching()
        if case .runs = verdict, done != nil {
            // One with a memory limit may have been killed for that.
            if wasKilledAtBirth, !memory.request.hasMemoryLimit { cgroup?.noteNewbornsKilled() }
            self.attempt = nil
            finish(.success(attempt.takeProcess()))
            return settle()
        }
        self.verdict = verdict
        if attempt.collect() { return collected(attempt) }
        watch { (handler) throws(Errno) in try attempt.registerEnd(on: self.loop, handler) }
    }

    private func collect(_ attempt: SpawnAttempt) {
        stopWatching()
        // Who traces it is told first.
        if attempt.collect() { collected(attempt) } else { lookLater() }
    }

    private func collected(_ attempt: SpawnAttempt) {
        self.attempt = nil
        guard done != nil else { return settle() }
        switch verdict {
        case .unborn where attempt.isBornInCgroup:
            verdict = nil
            wasKilledAtBirth = true
            do throws(SpawnFailure) {
                return try begin(entersCgroup: true)
            } catch {
                finish(.failure(error))
            }
        case .failed(let failure): finish(.failure(failure))
        case .unborn, .runs, nil: finish(.failure(SpawnFailure(unborn: memory)))
        }
        settle()
    }

    private func deadlinePassed() {
        timer = nil
        guard let attempt else { return }
        switch verdict {
        // It has ended, and somebody who traces it keeps us from collecting it.
        case .failed(let failure): giveUp(failure)
        case .unborn, .runs: giveUp(SpawnFailure(unborn: memory))
        case nil: giveUp(attempt.timeout(after: deadline))
        }
    }

    private func giveUp(_ failure: SpawnFailure) {
        guard done != nil else { return }
        try? attempt?.kill()
        finish(.failure(failure))
    }

    private func finish(_ outcome: consuming Outcome) {
        if let timer { loop.cancel(timer) }
        timer = nil
        standard = nil
        let tell = done
        done = nil
        tell?(outcome)
    }

    private func settle() {
        let tell = settled
        settled = nil
        tell?()
    }
}
