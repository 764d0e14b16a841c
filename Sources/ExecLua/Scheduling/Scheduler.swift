internal import CLuaBridge
internal import Kernel

/// Runs a script's coroutines, one at a time, each until it has to wait. The loop's thread only.
///
/// A coroutine is ready, running, or waiting. One that waits is made ready by its answer, which
/// arrives as an event of the loop: a timer, a task of `perform`, or another coroutine's doing on a
/// channel. Nothing is polled: with nobody ready the loop sleeps.
///
/// The script has ended when its main coroutine has, whatever the others do.
final class Scheduler: LoopTarget, @unchecked Sendable {
    // Unchecked: all that changes is touched on `loop` only; every way in asserts it.
    let loop: EventLoop
    /// Who is told of coroutines that end.
    weak var units: (any UnitOwner)?
    private let executor: LoopExecutor
    private let report: @Sendable (String) -> Void
    private var lua: LuaState?
    private var done: ((ScriptEnd) -> Void)?

    private var coroutines: [Int64: Coroutine] = [:]
    private var ready: [Int64] = []
    private var running: Coroutine?
    private var lastNumber: Int64 = 0
    private var lastWait: UInt64 = 0
    /// How many wait on channels.
    private var parked = 0
    private var isWoken = false
    /// How the script ends, once that is known.
    private var end: ScriptEnd?
    private var isOver = false
    /// A coroutine that was spawned has failed.
    private var hasFailed = false
    private var tasks: [UInt64: Task<Void, Never>] = [:]
    private var lastTask: UInt64 = 0

    /// The number of the main coroutine.
    private static let main: Int64 = 1

    /// Nothing runs yet. `report` is told of coroutines that fail, in whole lines.
    init(loop: EventLoop, report: @escaping @Sendable (String) -> Void) {
        self.loop = loop
        self.report = report
        executor = LoopExecutor(loop)
    }

    /// Runs a script; `done` is called once, when nothing of it is left on this loop.
    func begin(
        _ path: String,
        _ arguments: [String],
        in lua: LuaState,
        done: @escaping (ScriptEnd) -> Void,
    ) {
        loop.assertCurrent()
        self.lua = lua
        self.done = done
        switch lua.load(path, arguments: arguments) {
        case .coroutine(let thread, let reference):
            add(thread, reference, name: "the script")
        case .unreadable(let reason):
            finish(.unreadable(reason))
        case .invalid(let reason):
            finish(.failed(reason))
        }
    }

    /// Ends the script; nothing of it runs any more.
    func interrupt(_ signal: Int32) {
        loop.assertCurrent()
        if !isOver { finish(.interrupted(signal)) }
    }

    /// A turn: each that is ready now runs once.
    func woken() {
        loop.assertCurrent()
        isWoken = false
        if isOver { return }
        units?.tidy()
        let turn = ready
        ready = []
        for number in turn {
            guard let coroutine = coroutines[number] else { continue }
            run(coroutine)
            if let end { return finish(end) }
        }
        // Not in one go: two that keep each other busy must not keep the loop from everything else.
        if !ready.isEmpty { return wake() }
        if parked == coroutines.count { return finish(deadlock()) }
        // Whoever reads it may be what the script waits for.
        LuaState.flush()
    }

    private func wake() {
        if isWoken || isOver { return }
        isWoken = true
        loop.wake(self)
    }

    private func add(_ thread: LuaThread, _ reference: Int32, name: String) {
        lastNumber += 1
        coroutines[lastNumber] = Coroutine(
            number: lastNumber,
            thread: thread,
            reference: reference,
            name: name,
        )
        ready.append(lastNumber)
        wake()
    }
}

// MARK: - Running

extension Scheduler {
    private func run(_ coroutine: Coroutine) {
        guard let lua else { return }
        running = coroutine
        let outcome = lua.resume(coroutine.thread)
        running = nil
        switch outcome {
        case ELUA_WAITS: break
        case ELUA_YIELDED: ready.append(coroutine.number)
        case ELUA_FINISHED:
            if coroutine.number == Self.main { end = end ?? returned(coroutine) }
            forget(coroutine)
        default:
            let text = lua.failure(of: coroutine.thread)
            if coroutine.number == Self.main {
                end = end ?? .failed(text)
            } else {
                hasFailed = true
                LuaState.flush()
                report("\(coroutine.name) has failed: \(text)")
            }
            forget(coroutine)
        }
    }

    private func returned(_ coroutine: Coroutine) -> ScriptEnd {
        guard let (code, type) = lua?.exitCode(of: coroutine.thread) else { return .returned(0) }
        guard let code else {
            return .failed("the script returned \(type); an exit code is an integer from 0 to 255")
        }
        // What has failed in a coroutine must not look like success.
        return .returned(code == 0 && hasFailed ? 1 : code)
    }

    private func forget(_ coroutine: Coroutine) {
        setWait(nil, of: coroutine)
        coroutines[coroutine.number] = nil
        lua?.forget(coroutine.thread, reference: coroutine.reference)
        units?.release(coroutine.unit)
    }

    private func deadlock() -> ScriptEnd {
        var text = "deadlock: every coroutine waits on a channel that nobody serves"
        for coroutine in coroutines.values.sorted(by: { $0.number < $1.number }) {
            guard let wait = coroutine.wait else { continue }
            text +=
                "\n\t\(LuaState.position(in: wait.place)): in '\(wait.what)' (\(coroutine.name))"
        }
        return .failed(text)
    }

    /// Ends everything: closes what coroutines have left open, then Lua, then waits for the tasks.
    private func finish(_ end: ScriptEnd) {
        isOver = true
        let last = coroutines.values.sorted { $0.number > $1.number }
        for coroutine in last { forget(coroutine) }
        lua?.close()
        lua = nil
        LuaState.flush()
        self.end = end
        for task in tasks.values { task.cancel() }
        finishIfIdle()
    }

    private func finishIfIdle() {
        guard isOver, tasks.isEmpty, let end, let done = done.take() else { return }
        done(end)
    }
}

// MARK: - Waiting

extension Scheduler {
    /// The unit of the coroutine that runs; nil: none does, Lua is being closed.
    var unit: Unit? { running?.unit }

    /// The running coroutine waits, in `thread`, for an answer to `what`.
    func suspend(in thread: LuaThread, _ what: String) -> Waiter {
        loop.assertCurrent()
        return suspend(in: thread, what, isOnChannel: false)
    }

    /// Answers a coroutine that waits; ignored where it waits for something else by now.
    func resume(_ waiter: Waiter, _ answer: Answer) {
        loop.assertCurrent()
        guard let coroutine = coroutines[waiter.coroutine], coroutine.wait?.number == waiter.wait
        else { return }
        coroutine.answer = answer
        makeReady(coroutine)
    }

    /// What the running coroutine has waited for.
    func takeAnswer() -> Answer {
        guard let answer = running?.answer.take() else {
            preconditionFailure("a coroutine is resumed when it has its answer")
        }
        return answer
    }

    /// Does `operation` on the loop, while the running coroutine waits for its answer.
    func perform(
        in thread: LuaThread,
        _ what: String,
        _ operation: @escaping @Sendable () async -> Answer,
    ) -> Answer {
        let waiter = suspend(in: thread, what)
        background { [self] in resume(waiter, await operation()) }
        return .suspend
    }

    /// Does `operation` on the loop. It is cancelled when the script ends, and waited for.
    func background(_ operation: @escaping @Sendable () async -> Void) {
        loop.assertCurrent()
        if isOver { return }
        lastTask += 1
        let number = lastTask
        // Unstructured, because it begins in a call of Lua's: `tasks` is its scope.
        tasks[number] = Task(executorPreference: executor) { [self] in
            await operation()
            loop.assertCurrent()
            tasks[number] = nil
            finishIfIdle()
        }
    }

    /// `time.sleep`.
    func sleep(for time: elua_time, in thread: LuaThread) -> Answer {
        guard let duration = time.duration else { return .raise(time.problem) }
        let waiter = suspend(in: thread, "sleep")
        loop.schedule(after: duration) { [weak self] in self?.resume(waiter, .values([])) }
        return .suspend
    }

    private func suspend(in thread: LuaThread, _ what: String, isOnChannel: Bool) -> Waiter {
        guard let running else { preconditionFailure("only a coroutine that runs can wait") }
        lastWait += 1
        let wait = Coroutine.Wait(
            what: what,
            place: thread,
            isOnChannel: isOnChannel,
            number: lastWait,
        )
        setWait(wait, of: running)
        return Waiter(coroutine: running.number, wait: lastWait)
    }

    private func setWait(_ wait: Coroutine.Wait?, of coroutine: Coroutine) {
        if coroutine.wait?.isOnChannel == true { parked -= 1 }
        coroutine.wait = wait
        if wait?.isOnChannel == true { parked += 1 }
    }

    private func makeReady(_ coroutine: Coroutine) {
        setWait(nil, of: coroutine)
        ready.append(coroutine.number)
        wake()
    }
}

// MARK: - For the bridge

extension Scheduler {
    /// `coroutine.spawn`.
    func spawn(_ thread: LuaThread, reference: Int32, position: String) {
        add(thread, reference, name: "the coroutine spawned at \(position)")
    }

    /// The running coroutine waits on a channel.
    func park(in thread: LuaThread, _ what: String) -> Int64 {
        suspend(in: thread, what, isOnChannel: true).coroutine
    }

    /// It waits no more.
    func unpark(_ number: Int64) {
        if let coroutine = coroutines[number] { makeReady(coroutine) }
    }

    /// `os.exit`: the script ends once the running coroutine has yielded.
    func exit(_ code: Int32) { end = end ?? .returned(code) }
}
