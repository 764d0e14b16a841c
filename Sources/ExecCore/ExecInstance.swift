public import ExecModel
internal import Kernel
internal import Synchronization

/// The registry's object for one exec: its log, its ring, its viewers, and its one true exit.
///
/// Output enters through `stdout` and `stderr` (or, for a process of this server, straight from its
/// pipes), is written to the log first, and is then there for every viewer. The writer never waits
/// for a viewer: nothing is queued for one. Safe to use from any thread.
///
/// Locks: `tee` orders the writers and is held over their file writes; `state` is held for moments
/// only. `state` may be taken while `tee` is held, never the other way round.
public final class ExecInstance: Sendable {
    /// The exec's name.
    public let key: ExecKey
    /// Nil: somebody else runs it.
    let command: CommandRecord?
    let log: ExecLog
    let clocks: any Clocks
    weak let observer: (any InstanceObserver)?
    let tee: Mutex<OutputTee>
    let state: Mutex<InstanceState>
    /// What runs it, where this server does. Held for moments.
    let runner = Mutex(ExecRunner.none)
    /// Kept as long as the instance, see `keep`.
    let kept: Mutex<(any AnyObject & Sendable)?> = Mutex(nil)
    private let chunkBytesMax: Int

    init(
        key: ExecKey,
        command: Command?,
        labels: [String: String],
        store: LogStore,
        configuration: RegistryConfiguration,
        clocks: any Clocks,
        observer: any InstanceObserver,
    ) {
        self.key = key
        self.command = command.map { CommandRecord($0) }
        self.clocks = clocks
        self.observer = observer
        log = ExecLog(.named(container: key.containerID, exec: key.execID), in: store)
        chunkBytesMax = configuration.chunkBytesMax
        let tee = OutputTee(
            log: log,
            chunkBytesMax: configuration.chunkBytesMax,
            logBytesMax: command?.limits.logBytesMax ?? 0
        )
        self.tee = Mutex(tee)
        var info = ExecInfo(containerID: key.containerID, execID: key.execID)
        info.createdUnixNS = clocks.unixNS
        info.labels = labels
        info.published = command == nil
        info.argv = command?.argv ?? []
        info.tty = command?.terminal != nil
        info.window = command?.terminal?.size.filled(from: .standard)
        let ring = ChunkRing(
            chunksMax: configuration.ringChunksMax,
            bytesMax: configuration.ringBytesMax
        )
        state = Mutex(InstanceState(info: info, ring: ring))
    }

    /// Keeps `object` until the instance itself is gone: who counts what an instance takes learns by the
    /// object's end that it is given back. Once.
    package func keep(_ object: any AnyObject & Sendable) { kept.withLock { $0 = object } }

    /// What is known of it now.
    public var info: ExecInfo { state.withLock { $0.currentInfo } }

    /// How it ended; nil: it has not.
    public var exit: Exit? { state.withLock { $0.info.exit } }

    /// Where its output to stdout is fed in, for an exec that somebody else runs.
    public var stdout: ExecWriter { ExecWriter(instance: self, stream: .stdout) }

    /// Where its output to stderr is fed in, for an exec that somebody else runs.
    public var stderr: ExecWriter { ExecWriter(instance: self, stream: .stderr) }

    /// Tells everybody how an exec that somebody else runs has ended: all viewers after their last
    /// byte, all who wait, and all who ask until the retention ends. The first call counts; returns
    /// the exit that holds. Of the message, 64 KiB are kept.
    ///
    /// The code is from 0 to 255; with a signal (1 to 64) it is 128 and the signal, whatever is given.
    /// Any other code or signal makes a RUNTIME_ERROR exit with code 255, whose message tells what was
    /// given.
    @discardableResult
    public func finish(code: Int32, signal: Int32 = 0, message: String = "") -> Exit {
        let reason: ExitReason = signal == 0 ? .natural : .signal
        // All that is told of an exec has to fit a message.
        let kept = String(decoding: message.utf8.prefix(64 << 10), as: UTF8.self)
        return finish(Exit(code: code, reason: reason, signal: signal, message: kept))
    }

    /// Waits for the exit. Cancelling the task throws CANCELLED and changes nothing else.
    public func waitForExit() async throws(ExecError) -> Exit {
        let gate = ExitGate()
        let waiter = onExit { gate.open($0) }
        let exit = await withTaskCancellationHandler {
            await gate.exit()
        } onCancel: {
            gate.open(nil)
        }
        if let waiter { cancelOnExit(waiter) }
        guard let exit else { throw ExecError(.cancelled, "the wait was cancelled") }
        return exit
    }

    /// Calls `body` once with the exit: now if it is known, else from the thread that learns it.
    /// Returns what `cancelOnExit` takes; nil: it has been called already.
    @discardableResult
    package func onExit(_ body: @escaping @Sendable (Exit) -> Void) -> UInt64? {
        let (exit, waiter): (Exit?, UInt64?) = state.withLock { state in
            if let exit = state.info.exit { return (exit, nil) }
            state.nextWaiter += 1
            state.exitWaiters[state.nextWaiter] = body
            return (nil, state.nextWaiter)
        }
        if let exit { body(exit) }
        return waiter
    }

    /// Forgets a wait. It may be running at this moment all the same.
    package func cancelOnExit(_ waiter: UInt64) {
        state.withLock { state in
            state.exitWaiters[waiter] = nil
        }
    }
}

/// Whoever keeps count of what happens to instances: the registry.
protocol InstanceObserver: AnyObject, Sendable {
    func instance(_ instance: ExecInstance, did kind: LifecycleEvent.Kind)
}

// MARK: - Output

extension ExecInstance {
    /// Moves what `pipe` has now to the log and the ring, a bounded turn at most, and wakes the
    /// viewers that had everything.
    func transfer(
        from pipe: borrowing Descriptor,
        as stream: ExecStream,
    ) throws(Errno) -> PipeState {
        try tee.withLock { (tee) throws(Errno) -> PipeState in
            // Whoever writes on writes to nobody.
            if tee.isForgotten { return .atEnd }
            var result = PipeState.mayHaveMore
            // What was staged before a failing read is published all the same.
            defer { publish(&tee) }
            while !tee.isFull {
                guard let count = try tee.stage(from: pipe, as: stream, clocks: clocks) else {
                    result = .empty
                    break
                }
                if count == 0 {
                    result = .atEnd
                    break
                }
                // Late output makes no chunks: count turns by their bytes instead.
                if tee.isSealed { break }
            }
            return result
        }
    }

    /// A pipe can't be read any more, though its writers may go on: the exit will say so.
    func giveUpReading(_ error: Errno) { tee.withLock { $0.giveUpReading(error) } }

    /// What a pipe was like when a transfer from it ended.
    enum PipeState { case empty, mayHaveMore, atEnd }

    /// Appends a copy of `bytes`. After the exit they are kept in the raw file alone, and nowhere once
    /// the exec is forgotten.
    func append(_ bytes: RawSpan, as stream: ExecStream) {
        tee.withLock { tee in
            guard !tee.isForgotten else { return }
            var start = 0
            while start < bytes.byteCount {
                let count = min(bytes.byteCount - start, chunkBytesMax)
                tee.stage(
                    bytes.extracting(start..<(start + count)),
                    as: stream,
                    clocks: clocks
                )
                start += count
                if tee.isFull { publish(&tee) }
            }
            publish(&tee)
        }
    }

    /// Makes the staged chunks everybody's: index, ring, then the parked viewers are woken.
    private func publish(_ tee: inout OutputTee) {
        guard tee.hasNews else { return }
        tee.flushIndex()
        state.withLock { state in
            state.lastSequence = tee.lastSequence
            state.offsets = tee.offsets
            state.waypoints.pass(tee.lastSequence, tee.offsets)
            state.loggedThrough = tee.loggedThrough
            state.loggedOffsets = tee.loggedOffsets
            if let lost = tee.takeLost() { state.ring.removeAll(reaching: lost) }
            tee.takeStaged { chunk, pool in
                state.ring.push(chunk) { pool.giveBack($0) }
            }
            state.parked.takeAll(into: &tee.waking)
        }
        for viewer in tee.waking { viewer?.wake() }
        tee.waking.removeAll(keepingCapacity: true)
        if tee.isOverLimit { trim(&tee) }
    }

    /// Gives back the memory and descriptors of an exec that has exited and that nobody views.
    /// Where the log is not complete, memory is all there is of the rest: that stays.
    func releaseIfIdle() {
        tee.withLock { tee in
            let isIdle = state.withLock { state in
                guard state.info.exit != nil, state.info.viewers == 0 else { return false }
                _ = state.parked.takeAll()
                if tee.failure == nil { state.ring.removeAll(reaching: state.offsets) }
                return true
            }
            if isIdle { tee.release() }
        }
    }
}
