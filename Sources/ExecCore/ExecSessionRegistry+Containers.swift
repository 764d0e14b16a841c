package import ExecModel
internal import Synchronization

/// What can be done to all execs of a container that this server runs. `done` is called once, on
/// some loop, when it has been done to each.
extension ExecSessionRegistry {
    /// Freezes what runs now; a start that comes later is not touched.
    ///
    /// Throws NOT_FOUND, or FAILED_PRECONDITION where nothing runs.
    package func pause(
        _ containerID: String,
        done: @escaping @Sendable (ContainerControl) -> Void,
    ) throws(ExecError) {
        let running = try controllers(of: containerID, in: .running)
        gather(running, { $0.pause($1) }) { results in
            done(Self.summary(results, cgroups: "froze", groups: "SIGSTOP"))
        }
    }

    /// Lets go on what is frozen.
    ///
    /// Throws NOT_FOUND, or FAILED_PRECONDITION where nothing is.
    package func resume(
        _ containerID: String,
        done: @escaping @Sendable (ContainerControl) -> Void,
    ) throws(ExecError) {
        let paused = try controllers(of: containerID, in: .paused)
        gather(paused, { $0.resume($1) }) { results in
            done(Self.summary(results, cgroups: "thawed", groups: "SIGCONT"))
        }
    }

    /// Sends a signal to all that runs. One that is frozen gets it when it goes on, SIGKILL at once.
    ///
    /// Throws NOT_FOUND.
    package func signal(
        _ containerID: String,
        _ request: SignalRequest,
        done: @escaping @Sendable (ContainerControl) -> Void,
    ) throws(ExecError) {
        let live = try known(containerID).filter { $0.exit == nil && $0.isRunHere }
        gather(live, { $0.signalOrTell(request, $1) }) { failures in
            // One that has ended at this moment is not reached.
            let reached = failures.count { $0 == nil }
            done(
                ContainerControl(
                    success: true,
                    message: "signal \(request.number) to \(Self.count(reached, "exec"))",
                    execs: UInt32(reached),
                )
            )
        }
    }

    /// Tells what a container's processes consume: all that runs here, taken together.
    package func measure(
        _ containerID: String,
        done: @escaping @Sendable (ResourceUsage) -> Void,
    ) {
        let live = instances(of: containerID).filter { $0.exit == nil }.compactMap(\.controller)
        gather(live, { $0.resourceUsage($1) }) { usages in
            done(usages.reduce(into: ResourceUsage()) { $0.add($1) })
        }
    }

    private func known(_ containerID: String) throws(ExecError) -> [ExecInstance] {
        let known = instances(of: containerID)
        guard !known.isEmpty else {
            throw ExecError(.notFound, "there is no container \(containerID)")
        }
        return known
    }

    private func controllers(
        of containerID: String,
        in state: ExecState,
    ) throws(ExecError) -> [ProcessController] {
        let found = try known(containerID).filter { $0.info.state == state }.compactMap(
            \.controller
        )
        guard !found.isEmpty else {
            let what = state == .paused ? "is paused" : "runs here"
            throw ExecError(.failedPrecondition, "nothing of container \(containerID) \(what)")
        }
        return found
    }

    private static func summary(
        _ results: [Result<FreezeMethod, ExecError>],
        cgroups: String,
        groups: String,
    ) -> ContainerControl {
        let methods = results.compactMap { try? $0.get() }
        let frozen = methods.count { $0 == .cgroup }
        let signaled = methods.count - frozen
        var said: [String] = []
        if frozen > 0 { said.append("\(cgroups) \(count(frozen, "cgroup"))") }
        if signaled > 0 { said.append("\(groups) to \(count(signaled, "group"))") }
        for case .failure(let error) in results { said.append(error.message) }
        return ContainerControl(
            success: methods.count == results.count,
            message: said.joined(separator: "; "),
            execs: UInt32(methods.count),
        )
    }

    private static func count(_ number: Int, _ noun: String) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
    }
}

extension ExecInstance {
    /// False: its publisher runs it, or it never ran.
    fileprivate var isRunHere: Bool {
        if case .none = runner.withLock({ $0 }) { false } else { true }
    }

    fileprivate func signalOrTell(
        _ request: SignalRequest,
        _ done: @escaping @Sendable (ExecError?) -> Void,
    ) {
        do throws(ExecError) {
            try signal(request, done: done)
        } catch {
            done(error)
        }
    }
}

extension ResourceUsage {
    fileprivate mutating func add(_ other: ResourceUsage) {
        cpuPercent += other.cpuPercent
        memoryBytes = memoryBytes.saturatingSum(other.memoryBytes)
        memoryLimitBytes = memoryLimitBytes.saturatingSum(other.memoryLimitBytes)
        ioReadBytes = ioReadBytes.saturatingSum(other.ioReadBytes)
        ioWriteBytes = ioWriteBytes.saturatingSum(other.ioWriteBytes)
        pids = pids.saturatingSum(other.pids)
    }
}

extension FixedWidthInteger {
    /// A limit is whatever somebody has asked for: two of them may be more than a number holds.
    fileprivate func saturatingSum(_ other: Self) -> Self {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}

/// Asks each target for its answer, and hands over all answers once the last one is there.
private func gather<Target: Sendable, Answer: Sendable>(
    _ targets: [Target],
    _ ask: @escaping @Sendable (Target, @escaping @Sendable (Answer) -> Void) -> Void,
    _ done: @escaping @Sendable ([Answer]) -> Void,
) {
    guard !targets.isEmpty else { return done([]) }
    Gathering(targets, ask, done).askSome()
}

/// Answers that come from several threads. A few targets are asked at a time: a loop may have thousands of
/// them, and each answer may take system calls.
private final class Gathering<Target: Sendable, Answer: Sendable>: Sendable {
    private struct State {
        var answers: [Answer] = []
        var asked = 0
    }

    private let targets: [Target]
    private let ask: @Sendable (Target, @escaping @Sendable (Answer) -> Void) -> Void
    private let done: @Sendable ([Answer]) -> Void
    private let state = Mutex(State())

    private static var atOnceMax: Int { 16 }

    init(
        _ targets: [Target],
        _ ask: @escaping @Sendable (Target, @escaping @Sendable (Answer) -> Void) -> Void,
        _ done: @escaping @Sendable ([Answer]) -> Void,
    ) {
        self.targets = targets
        self.ask = ask
        self.done = done
    }

    func askSome() {
        let next = state.withLock { state in
            let start = state.asked
            state.asked = min(start + Self.atOnceMax, targets.count)
            return start..<state.asked
        }
        for index in next { ask(targets[index]) { self.add($0) } }
    }

    private enum Next { case wait, askSome, finish([Answer]) }

    private func add(_ answer: Answer) {
        let next = state.withLock { state -> Next in
            state.answers.append(answer)
            if state.answers.count == targets.count { return .finish(state.answers) }
            return state.answers.count == state.asked ? .askSome : .wait
        }
        switch next {
        case .wait: break
        case .askSome: askSome()
        case .finish(let all): done(all)
        }
    }
}
