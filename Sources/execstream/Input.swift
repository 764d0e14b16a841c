internal import Kernel
internal import Synchronization

/// The program's stdin. Read by a thread of its own, because a file or a terminal can make a read
/// wait for ever, and only when somebody asks: what is never asked for stays for the next program.
///
/// The thread ends with the program; so this must live as long.
final class Input: Sendable {
    private let state = Mutex(State())

    private typealias Waiter = CheckedContinuation<Outcome, Never>
    private typealias Outcome = Result<[UInt8]?, Errno>

    private struct State {
        var group: EventLoopGroup?
        var isReading = false
        /// What was read for somebody who no longer waited.
        var kept: Outcome?
        var waiter: Waiter?

        /// The thread's, made when it is first needed.
        mutating func loop() throws(Errno) -> EventLoop {
            if let group { return group.next() }
            let made = try EventLoopGroup(count: 1, name: "stdin")
            group = made
            return made.next()
        }
    }

    /// What comes next, at most 64 KiB; nil: the end, or the task was cancelled. One reader at a time.
    func next() async throws(Failure) -> [UInt8]? {
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in ask(waiter) }
        } onCancel: {
            state.withLock { $0.waiter.take() }?.resume(returning: .success(nil))
        }
        do throws(Errno) {
            return try outcome.get()
        } catch {
            throw Failure("can't read stdin: \(error)")
        }
    }

    private func ask(_ waiter: Waiter) {
        let ready = state.withLock { state -> Outcome? in
            if Task.isCancelled { return .success(nil) }
            if let kept = state.kept.take() { return kept }
            state.waiter = waiter
            if state.isReading { return nil }
            do throws(Errno) {
                let loop = try state.loop()
                state.isReading = true
                loop.execute { [self] in deliver(read(on: loop)) }
                return nil
            } catch {
                state.waiter = nil
                return .failure(error)
            }
        }
        if let ready { waiter.resume(returning: ready) }
    }

    private func read(on loop: EventLoop) -> Outcome {
        do throws(Errno) {
            let input = try Descriptor.standardInput()
            let scratch = UnsafeMutableRawBufferPointer(rebasing: loop.scratch.prefix(64 << 10))
            while true {
                guard let count = try input.read(into: scratch) else {
                    // Somebody who shares it made it non-blocking.
                    try input.setNonBlocking(false)
                    continue
                }
                return .success(count == 0 ? nil : Array(scratch.prefix(count)))
            }
        } catch {
            return .failure(error)
        }
    }

    private func deliver(_ outcome: Outcome) {
        let waiter = state.withLock { state -> Waiter? in
            state.isReading = false
            let waiter = state.waiter.take()
            if waiter == nil { state.kept = outcome }
            return waiter
        }
        waiter?.resume(returning: outcome)
    }
}
