internal import ExecModel
internal import Kernel
internal import Synchronization

/// One start by a `LocalProcessHost`: looks the user up, waits for its turn, makes the process, and tells
/// when it runs. No step blocks the loop; each has a deadline.
///
/// Belongs to its loop's thread.
final class LocalStart: StartTicket, @unchecked Sendable {
    // Unchecked: all that changes is touched on `loop` only.
    let loop: EventLoop
    private let key: ExecKey
    private let services: LocalProcessServices
    /// Nil: the start is over.
    private var command: Command?
    private var done: ((consuming StartResult) -> Void)?
    private var account: UserAccount?
    private var timer: TimerID?
    /// Whose place among the starts this has; nil: none.
    private var place: UInt32?
    private var isStuck = false
    private var cgroup: Cgroup?
    private var pending: PendingSpawn?
    private var ends: Ends?

    /// What becomes the exec's once the program runs.
    private enum Ends: ~Copyable {
        case pipes(CommandPipes)
        case terminal(TerminalSides)
    }

    init(
        _ command: Command,
        of key: ExecKey,
        services: LocalProcessServices,
        on loop: EventLoop,
        _ done: @escaping (consuming StartResult) -> Void,
    ) {
        self.command = command
        self.key = key
        self.services = services
        self.loop = loop
        self.done = done
    }

    /// On the loop, once.
    func begin() {
        loop.assertCurrent()
        guard let user = command?.user, !user.isEmpty else { return takePlace() }
        lookUp(user)
    }

    func revoke(_ message: String) {
        if let pending { return pending.cancel(message) }
        finish(.failure(StartFailure(code: 126, message: message)))
    }

    // MARK: The user

    /// A name service may hang, and nothing can break that off.
    private func lookUp(_ user: String) {
        let isAsked = services.lookups.run { [weak self, loop] in
            let found: Result<UserAccount, UserLookupError>
            do throws(UserLookupError) {
                found = .success(try Users.find(user))
            } catch {
                found = .failure(error)
            }
            loop.execute { [weak self] in self?.found(found) }
        }
        guard isAsked else {
            return failLater("cannot look up the user '\(user)': too many look-ups hang already")
        }
        arm(services.options.startTime) { time in
            "the start did not finish in \(time): it hung while looking up the user '\(user)'"
        }
    }

    private func found(_ result: Result<UserAccount, UserLookupError>) {
        guard command != nil else { return }
        disarm()
        switch result {
        case .success(let account):
            self.account = account
            takePlace()
        case .failure(let error): fail(error.message)
        }
    }

    // MARK: Its turn

    private func takePlace() {
        let user = account?.ids.uid ?? ownUserID()
        place = user
        guard services.gate.enter(self, of: user) else {
            place = nil
            return arm(services.options.startTime * Self.turnFactor) { time in
                "the start did not begin in \(time): too many other starts as the same user hang"
            }
        }
        start()
    }

    /// So much longer than a start may take a start may wait for its turn.
    private static let turnFactor = 6

    /// The gate lets it begin.
    func mayBegin() {
        let user = account?.ids.uid ?? ownUserID()
        guard command != nil else { return services.gate.leave(user) }
        place = user
        disarm()
        start()
    }

    // MARK: The process

    private func start() {
        guard let command else { return }
        do throws(StartFailure) {
            cgroup = try services.makeCgroup(for: command.limits, of: key)
            try spawn(command)
        } catch {
            // Not before `begin` has returned.
            loop.execute { [self] in finish(.failure(error)) }
        }
    }

    private func spawn(_ command: Command) throws(StartFailure) {
        let startedAt = SystemClocks().now
        let mark = mark(for: command)
        var request = request(for: command, mark: mark)
        let childs: StandardDescriptors
        if let terminal = command.terminal {
            var sides = try TerminalSides.make(terminal.size, for: request.user)
            guard let inner = sides.inner.take() else { preconditionFailure("it was just made") }
            request.controllingTerminal = true
            childs = StandardDescriptors(all: inner)
            ends = .terminal(sides)
        } else {
            var pipes = try CommandPipes.make(stdin: command.stdin)
            childs = pipes.takeChilds()
            ends = .pipes(pipes)
        }
        do throws(SpawnFailure) {
            pending = try PendingSpawn(
                request,
                childs,
                cgroup: cgroup,
                within: services.options.startTime,
                on: loop,
                observer: services.children,
                settled: { [self] in settled() },
                done: { [self] outcome in spawned(outcome, mark: mark, startedAt: startedAt) },
            )
        } catch {
            throw StartFailure(code: error.exitCode, message: error.message)
        }
    }

    private func spawned(
        _ outcome: consuming PendingSpawn.Outcome,
        mark: ProcessMark?,
        startedAt: Instant,
    ) {
        switch consume outcome {
        case .success(let child):
            if services.oomScore != 0 { OomScore.reset(child.pid) }
            let process = LocalProcess(
                child,
                of: key,
                cgroup: cgroup,
                mark: mark,
                startedAt: startedAt,
                services: services,
            )
            cgroup = nil
            finish(.success(hosted(process)))
        case .failure(let failure):
            isStuck = pending?.hasChild == true && services.gate.getStuck()
            finish(.failure(StartFailure(code: failure.exitCode, message: failure.message)))
        }
    }

    private func hosted(_ process: LocalProcess) -> HostedProcess {
        switch ends.take() {
        case .pipes(var pipes):
            return HostedProcess(
                handle: process,
                stdin: pipes.ourStdin.take(),
                stdout: pipes.takeOurStdout(),
                stderr: pipes.takeOurStderr(),
            )
        case .terminal(var sides):
            return HostedProcess(
                handle: process,
                stdin: sides.input.take(),
                stdout: sides.output.take(),
                stderr: nil,
                terminal: sides.terminal,
            )
        case nil: preconditionFailure("they are kept until the start is over")
        }
    }

    /// What its offspring is known by where no cgroup holds it. An environment that is to be empty
    /// stays empty.
    private func mark(for command: Command) -> ProcessMark? {
        guard cgroup?.isWatchable != true, !command.clearEnvironment else { return nil }
        let number = services.marked.add(1, ordering: .relaxed).newValue
        return ProcessMark(server: services.mark, exec: "\(services.mark).\(number)")
    }

    private func request(for command: Command, mark: ProcessMark?) -> SpawnRequest {
        let environment = CommandEnvironment(
            base: services.options.baseEnvironment,
            account: account,
            mark: mark
        )
        var request = SpawnRequest(
            argv: command.argv,
            environment: environment.entries(for: command),
            user: account?.ids,
            resourceLimits: limits(of: command),
        )
        if !command.workingDirectory.isEmpty {
            request.workingDirectory = command.workingDirectory
        }
        request.hasMemoryLimit = command.limits.memoryBytesMax > 0
        return request
    }

    private func limits(of command: Command) -> [ResourceLimit] {
        if command.limits.openFilesMax > 0 {
            let max = command.limits.openFilesMax
            return [ResourceLimit(resource: ResourceLimit.openFiles, soft: max, hard: max)]
        }
        guard let soft = services.options.openFilesMax else { return [] }
        let hard = ResourceLimits.openFiles.hard
        return [ResourceLimit(resource: ResourceLimit.openFiles, soft: min(soft, hard), hard: hard)]
    }

    // MARK: The end

    private func arm(_ time: Duration, _ message: @escaping (String) -> String) {
        timer = loop.schedule(after: time) { [weak self] in
            self?.timer = nil
            self?.fail(message(time.shortText))
        }
    }

    private func disarm() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func fail(_ message: String) {
        finish(.failure(StartFailure(code: 126, message: message)))
    }

    /// Not before `begin` has returned.
    private func failLater(_ message: String) {
        loop.execute { [self] in fail(message) }
    }

    private func finish(_ result: consuming StartResult) {
        guard let done = done.take() else { return }
        disarm()
        command = nil
        ends = nil
        let hasChild = pending?.hasChild == true
        if !hasChild {
            removeCgroup()
            pending = nil
        }
        if !hasChild || isStuck { leavePlace() }
        done(result)
    }

    /// Of a start that was given up nothing is left; or it is over anyway.
    private func settled() {
        pending = nil
        removeCgroup()
        leavePlace()
        if isStuck { services.gate.stuckEnds() }
        isStuck = false
    }

    /// What a start that has failed leaves.
    private func removeCgroup() {
        if cgroup?.remove() != false { cgroup = nil }
    }

    private func leavePlace() {
        guard let user = place.take() else { return }
        services.gate.leave(user)
    }
}
