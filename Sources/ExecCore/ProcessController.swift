internal import ExecModel
internal import Kernel
internal import Synchronization

/// Runs one exec's process: drives its `ProcessLifecycle` with what the loop tells, moves its
/// output, feeds its stdin.
///
/// Belongs to its loop's thread; the verbs may be called from any, and take their turn there.
final class ProcessController: @unchecked Sendable {
    // Unchecked: all that changes is touched on `loop` only, which `assertCurrent` checks.
    let loop: EventLoop
    let instance: ExecInstance
    private let process: any ProcessHandle
    private let onDisconnect: OnDisconnect
    private var lifecycle: ProcessLifecycle
    private var timers: [ProcessLifecycle.Deadline: TimerID] = [:]
    private var outputs: [OutputPipe] = []
    private let stdin: StdinPipe?
    private let terminal: ExecTerminal?
    private var disconnectTimer: TimerID?
    private let usage: UsageSharing

    /// Between two attempts to thaw.
    private static let thawTime = Duration.milliseconds(100)

    /// Takes over a process that has just started. On `loop`.
    init(
        _ hosted: inout HostedProcess,
        instance: ExecInstance,
        command: Command,
        onDisconnect: OnDisconnect,
        configuration: RegistryConfiguration,
        loop: EventLoop,
    ) {
        loop.assertCurrent()
        self.loop = loop
        self.instance = instance
        self.onDisconnect = onDisconnect
        process = hosted.handle
        usage = UsageSharing(clocks: instance.clocks)
        terminal = hosted.terminal
        if let pipe = hosted.takeStdin() {
            stdin = StdinPipe(pipe, of: hosted.terminal, loop: loop)
        } else {
            stdin = nil
        }
        var streams: Set<ExecStream> = []
        for stream in ExecStream.allCases {
            guard let pipe = hosted.takeOutput(stream) else { continue }
            outputs.append(OutputPipe(pipe, as: stream, of: instance, loop: loop))
            streams.insert(stream)
        }
        lifecycle = ProcessLifecycle(
            command: command,
            defaults: configuration,
            streams: streams
        )
    }

    /// Begins to watch the process and its pipes. On the loop, once.
    func begin() {
        perform(lifecycle.begin())
        for output in outputs {
            output.begin { [unowned self] stream in apply(.streamAtEnd(stream)) }
        }
        do throws(Errno) {
            try process.watch(on: loop) { [self] in processGone() }
        } catch {
            // It must not run on unseen. It is collected as soon as it has ended.
            try? process.signal(Signals.kill, group: true)
            process.offspring.kill()
            process.collect { _ in }
            apply(.gone(.unknown("the process can't be watched: \(error)"), isAlone: true))
        }
    }

    var pid: Int32 { process.pid }

    // MARK: Verbs, from any thread

    /// The polite end: stop signal, grace, SIGKILL. Does nothing once the process is gone.
    func stop(_ cause: StopCause, grace: Duration? = nil) {
        loop.execute { [self] in
            apply(.stop(cause, grace: grace ?? lifecycle.defaultGrace))
        }
    }

    /// Sends a signal; `done` is called on the loop with what came of it.
    func signal(_ request: SignalRequest, done: @escaping @Sendable (ExecError?) -> Void) {
        loop.execute { [self] in done(signalNow(request)) }
    }

    /// Freezes its processes; `done` is called on the loop with how, or with why not.
    func pause(_ done: @escaping @Sendable (Result<FreezeMethod, ExecError>) -> Void) {
        loop.execute { [self] in
            guard lifecycle.mayPause, !lifecycle.isPaused else {
                let what = lifecycle.isPaused ? "is paused" : "is ending"
                return done(.failure(ExecError(.failedPrecondition, "\(instance.key) \(what)")))
            }
            process.freeze { [self] in done(paused($0)) }
        }
    }

    /// Lets its processes go on; `done` is called on the loop with how.
    func resume(_ done: @escaping @Sendable (Result<FreezeMethod, ExecError>) -> Void) {
        loop.execute { [self] in
            guard lifecycle.isPaused else {
                return done(.failure(ExecError(.failedPrecondition, "\(instance.key) runs")))
            }
            do throws(Errno) {
                let method = try process.thaw()
                apply(.thawed)
                done(.success(method))
            } catch {
                done(.failure(failed(error)))
            }
        }
    }

    /// What its processes consume now; `done` is called on the loop.
    func resourceUsage(_ done: @escaping @Sendable (ResourceUsage) -> Void) {
        loop.execute { [self] in usage.ask(process, on: loop, done) }
    }

    /// A client that may write stdin comes. Returns what it may send at once; `credit` is called on
    /// the loop with what it may send besides.
    func addStdinWriter(_ writer: UInt64, credit: @escaping @Sendable (Int) -> Void) -> Int {
        guard let stdin else { return 0 }
        let now = stdin.reserve(writer)
        loop.execute { [self] in self.stdin?.join(writer, credit: credit) }
        return now
    }

    /// A client that wrote stdin goes. What it sent is still taken; with `closing`, and if it was
    /// the last, that is all.
    func removeStdinWriter(_ writer: UInt64, closing: Bool) {
        loop.execute { [self] in stdin?.leave(writer, closing: closing) }
    }

    /// Bytes for stdin, within the writer's credit.
    func writeStdin(_ bytes: [UInt8], from writer: UInt64) {
        loop.execute { [self] in stdin?.write(bytes, from: writer) }
    }

    /// The exec's stdin ends after what was sent before.
    func closeStdin() {
        loop.execute { [self] in stdin?.close() }
    }

    /// Changes the terminal's size. Of several, the one that takes its turn last holds.
    func resize(to size: WindowSize, done: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            defer { done() }
            // It can only fail once the exit has been told.
            if let size = try? terminal?.resize(to: size) { instance.resized(to: size) }
        }
    }

    /// Whether the exec's stdin can be written to at all.
    var hasStdin: Bool { stdin != nil }

    /// Nobody views the exec any more.
    func lastViewerLeft() {
        guard onDisconnect.stop else { return }
        loop.execute { [self] in waitForViewers() }
    }

    /// The instance is forgotten: late output is of no use to anybody.
    func close() {
        loop.execute { [self] in
            for output in outputs { output.close() }
        }
    }

    // MARK: On the loop

    private func waitForViewers() {
        if let disconnectTimer { loop.cancel(disconnectTimer) }
        let wait = Duration.milliseconds(Int64(clamping: onDisconnect.afterMS))
        disconnectTimer = loop.schedule(after: wait) { [weak self] in
            guard let self, instance.info.viewers == 0 else { return }
            apply(.stop(.disconnect, grace: lifecycle.defaultGrace))
        }
    }

    private func signalNow(_ request: SignalRequest) -> ExecError? {
        guard lifecycle.isAlive else {
            return ExecError(.failedPrecondition, "\(instance.key) has ended")
        }
        do throws(Errno) {
            try process.signal(request.number, group: !request.leaderOnly)
            instance.report(.signaled)
            return nil
        } catch {
            return failed(error)
        }
    }

    private func failed(_ error: Errno) -> ExecError {
        ExecError(.failedPrecondition, "\(instance.key): \(error)", cause: error)
    }

    /// What came of a pause. Where it came to nothing all run on, also those that are to freeze only now.
    private func paused(
        _ result: Result<FreezeMethod, Errno>,
    ) -> Result<FreezeMethod, ExecError> {
        guard lifecycle.mayPause else {
            // A stop that came meanwhile needs them to run.
            letGo()
            return .failure(ExecError(.aborted, "\(instance.key) was stopped meanwhile"))
        }
        switch result {
        case .success: apply(.frozen)
        case .failure: letGo()
        }
        return result.mapError { failed($0) }
    }

    /// Lets its processes go on, where nobody would ask for it again: so it is tried until it has come to
    /// that, or they are paused again.
    private func letGo() {
        do throws(Errno) {
            try process.thaw()
        } catch {
            guard error.isShortage else { return }
            loop.schedule(after: Self.thawTime) { [self] in
                if !lifecycle.isPaused { letGo() }
            }
        }
    }

    private func processGone() {
        terminal?.processGone()
        // What it wrote is in the pipes by now: most execs are drained at once.
        for output in outputs { output.drainNow() }
        process.collect { [self] ending in
            // Who is left is looked for only where it matters.
            guard lifecycle.isEnding else { return apply(.gone(ending, isAlone: true)) }
            process.offspring.tellIfEmpty(on: loop) { [self] isAlone in
                apply(.gone(ending, isAlone: isAlone))
            }
        }
    }

    private func apply(_ event: ProcessLifecycle.Event) {
        loop.assertCurrent()
        perform(lifecycle.handle(event))
    }

    private func perform(_ actions: [ProcessLifecycle.Action]) {
        for action in actions {
            switch action {
            case .signalGroup(let number): try? process.signal(number, group: true)
            case .noteOffspring: process.offspring.note()
            case .signalOffspring(let number, let sparingGroup):
                process.offspring.signal(number, sparingGroup: sparingGroup)
            case .killOffspring: process.offspring.kill()
            case .awaitOffspring:
                process.offspring.whenEmpty(on: loop) { [self] in apply(.alone) }
            case .thaw: letGo()
            case .arm(let deadline, let duration): arm(deadline, duration)
            case .disarm(let deadline): disarm(deadline)
            case .hangUp(let ignored): hangUp(where: ignored)
            case .tellPaused: instance.paused(true)
            case .tellResumed: instance.paused(false)
            case .tellStopping: instance.report(.stopping)
            case .tellEnded(let code, let signal):
                instance.isDraining(
                    after: Ended(code: code, signal: signal, unixNS: instance.clocks.unixNS)
                )
            case .tellExit(let exit): finish(exit)
            }
        }
    }

    /// Interactive shells ignore SIGTERM: the polite end of a terminal is that it is hung up. A program
    /// that heeds the stop signal is not to be cut off by that.
    private func hangUp(where ignored: Int32) {
        guard terminal != nil, Signals.isIgnored(ignored, by: process.pid) else { return }
        try? process.signal(Signals.hangUp, group: true)
    }

    private func arm(_ deadline: ProcessLifecycle.Deadline, _ duration: Duration) {
        disarm(deadline)
        timers[deadline] = loop.schedule(after: duration) { [weak self] in
            guard let self else { return }
            timers[deadline] = nil
            // What was written in time may have come in this very turn, and is to be told.
            if deadline == .drain {
                for output in outputs { output.drainNow() }
            }
            apply(.passed(deadline))
        }
    }

    private func disarm(_ deadline: ProcessLifecycle.Deadline) {
        if let timer = timers.removeValue(forKey: deadline) { loop.cancel(timer) }
    }

    private func finish(_ ending: Exit) {
        var exit = ending
        if !exit.drained {
            exit.holderPIDs = outputs.holders()
            exit.addMessage("output was still held open when draining gave up")
        }
        if let dropped = stdin?.end(), dropped > 0 {
            exit.addMessage("\(dropped) bytes of stdin were not taken")
        }
        terminal?.close()
        process.offspring.letGo()
        if let disconnectTimer { loop.cancel(disconnectTimer) }
        instance.finish(exit)
    }
}
