import Glibc
import Kernel
import Synchronization

/// A program that a test has started. What it writes is kept, and whoever waits for a line or the end
/// is told; every wait ends after 30 seconds at most.
final class Child: Sendable {
    let pid: Int32
    private let name: String
    private let loop: EventLoop
    private let watch: LoopBound<Watch>
    private let state: Mutex<State>

    /// What is known of it.
    struct View: Sendable {
        var out: [UInt8] = []
        var err: [UInt8] = []
        var openStreams = 2
        var end: ProcessEnd?

        var stdout: String { String(decoding: out, as: UTF8.self) }
        var stderr: String { String(decoding: err, as: UTF8.self) }
        /// What it returned, or 128 and its signal; nil: it, or somebody who has its pipes, runs.
        var code: Int32? {
            guard openStreams == 0, let end else { return nil }
            return end.code ?? 128 + end.signal
        }
    }

    private typealias Waiter = CheckedContinuation<View, any Error>

    private struct State {
        var view = View()
        var waiters: [UInt64: (isDone: @Sendable (View) -> Bool, waiter: Waiter)] = [:]
        var lastWaiter: UInt64 = 0
    }

    /// Starts it; `input` nil: its stdin stays open, for `write` and `closeInput`.
    init(_ argv: [String], environment: [String], input: [UInt8]?, loop: EventLoop) throws {
        name = argv.dropFirst().joined(separator: " ")
        self.loop = loop
        var stdin = try Pipe.make(nonBlockingWrite: true)
        var stdout = try Pipe.make(nonBlockingRead: true)
        var stderr = try Pipe.make(nonBlockingRead: true)
        let request = SpawnRequest(argv: argv, environment: environment)
        let process = try Spawn.start(
            request,
            stdin: stdin.takeReadEnd(),
            stdout: stdout.takeWriteEnd(),
            stderr: stderr.takeWriteEnd()
        )
        pid = process.pid
        state = Mutex(State())
        let watch = Watch(
            process: process,
            input: stdin.takeWriteEnd(),
            out: stdout.takeReadEnd(),
            err: stderr.takeReadEnd(),
            loop: loop
        )
        self.watch = LoopBound(watch, on: loop)
        loop.execute { [self] in
            self.watch.value.begin { [self] change in self.change(change) }
            if let input { self.watch.value.write(input, andClose: true) }
        }
    }

    /// What is known of it now.
    var view: View { state.withLock { $0.view } }

    /// Sends bytes to its stdin, as it takes them.
    func write(_ text: String, andClose: Bool = false) {
        let watch = watch
        loop.execute { watch.value.write(Array(text.utf8), andClose: andClose) }
    }

    /// Signals the program alone, not what it has started.
    func signal(_ number: Int32) {
        let watch = watch
        loop.execute { watch.value.signal(number) }
    }

    /// Signals the program again and again until its end.
    func signalUntilEnd(_ number: Int32) async throws -> View {
        while view.code == nil {
            signal(number)
            try await Task.sleep(for: .milliseconds(50))
        }
        return try await end()
    }

    /// Waits for the end.
    func end() async throws -> View { try await wait { $0.code != nil } }

    /// Waits until stdout has this in it.
    func prints(_ text: String) async throws { _ = try await wait { $0.stdout.contains(text) } }

    /// Waits until what is known of it is as wanted, or the program has ended.
    @discardableResult
    func wait(until isDone: @escaping @Sendable (View) -> Bool) async throws -> View {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let view = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                let now = state.withLock { state -> View? in
                    if isDone(state.view) || state.view.code != nil { return state.view }
                    state.waiters[id] = (isDone, waiter)
                    return nil
                }
                if let now { return waiter.resume(returning: now) }
                loop.execute { [self] in
                    loop.schedule(after: .seconds(30)) { [self] in giveUp(id, "after 30 seconds") }
                    if Task.isCancelled { giveUp(id, "when the test was over") }
                }
            }
        } onCancel: {
            giveUp(id, "when the test was over")
        }
        guard isDone(view) else {
            throw Unexpected("'\(name)' ended: \(view.stdout.suffix(2000))\(view.stderr)")
        }
        return view
    }

    private func change(_ change: (inout View) -> Void) {
        let (view, ready) = state.withLock { state in
            change(&state.view)
            let ready = state.waiters.filter {
                $0.value.isDone(state.view) || state.view.code != nil
            }
            for id in ready.keys { state.waiters[id] = nil }
            return (state.view, ready.values.map(\.waiter))
        }
        for waiter in ready { waiter.resume(returning: view) }
    }

    private func giveUp(_ id: UInt64, _ when: String) {
        let (view, waiter) = state.withLock { state in
            (state.view, state.waiters.removeValue(forKey: id)?.waiter)
        }
        let known = "stdout: \(view.stdout.suffix(2000)), stderr: \(view.stderr.suffix(2000))"
        waiter?.resume(
            throwing: Unexpected("'\(name)' was still waited for \(when); \(known)")
        )
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
