internal import ExecCore
internal import Kernel
internal import Synchronization
internal import Wire

/// One Session: starts an exec or attaches to one, carries stdin in, and output and the exit out.
///
/// Belongs to its connection's loop. Output is pulled (see `Connection`): the stream itself queues
/// nothing but the few control messages that the exec has for this client alone.
final class SessionStream: ServerStream, Wakeable, LoopTarget, @unchecked Sendable {
    // Unchecked: what changes is touched on the connection's loop only; `wake` goes there first.
    private enum State {
        case awaitingStart
        /// The exec is being started.
        case starting
        case viewing(ExecViewer, View)
        case over
    }

    let id: UInt32
    private unowned let connection: Connection
    private let caller: Caller
    private let loop: EventLoop
    private var state = State.awaitingStart
    /// What waits until the exec was started; nil: nothing waits.
    private var held: HeldRequests?
    /// Set before the first output.
    private var ready: Ready?
    private var stdin: StdinAccount?
    /// The place among those who wait for the start of an exec that this client has not started.
    private var waiting: (wait: StartWait, entry: AuditEntry)?

    init(id: UInt32, connection: Connection, caller: Caller) {
        self.id = id
        self.connection = connection
        self.caller = caller
        loop = connection.loop
    }

    var isToBeSeenOut: Bool {
        switch state {
        case .starting, .viewing: true
        case .awaitingStart, .over: false
        }
    }

    func receive(_ payload: RawSpan) {
        do throws(ExecError) {
            let request = try decode(payload)
            guard held != nil else { return try handle(request) }
            try hold(request, byteCount: payload.byteCount)
        } catch {
            connection.fail(id, error)
        }
    }

    func halfClosed() {
        if held != nil {
            held?.isHalfClosed = true
            return
        }
        switch state {
        case .awaitingStart:
            connection.fail(
                id,
                ExecError(.invalidArgument, "the stream ended before its Start message")
            )
        case .starting: preconditionFailure("held before")
        case .viewing(let viewer, _):
            // No more from this client: if it was the last that could, the exec's stdin ends. Its token
            // may be worth less by now, or gone, and this stream with it.
            let mayClose = caller.mayControl(viewer.instance.key)
            stdin?.leave(viewer.instance, closing: mayClose)
            stdin = nil
        case .over: break
        }
    }

    func reviewRights() {
        guard case .viewing(let viewer, _) = state else { return }
        do throws(ExecError) {
            try caller.authorize(.attach, on: .exec(viewer.instance.key))
        } catch {
            return connection.fail(id, error)
        }
        guard !caller.hasControl else { return }
        // It looks on from here; others may end the exec's stdin without it.
        stdin?.leave(viewer.instance, closing: false)
        stdin = nil
    }

    func ended() {
        let last = state
        state = .over
        held = nil
        if let waiting, waiting.wait.cancel() { waiting.entry.tell("cancelled") }
        waiting = nil
        guard case .viewing(let viewer, _) = last else { return }
        stdin?.leave(viewer.instance, closing: false)
        stdin = nil
        viewer.detach()
    }

    /// A chunk could not be sent: the cursor goes back.
    func takeBack(_ chunk: Chunk) {
        guard case .viewing(let viewer, _) = state else { return }
        viewer.rewind(chunk)
    }

    // MARK: Waking, from any thread

    func wake() { loop.wake(self) }

    func woken() {
        guard case .viewing = state else { return }
        connection.markReady(id)
    }

    // MARK: What the client says

    private func decode(_ payload: RawSpan) throws(ExecError) -> SessionRequest {
        do throws(DecodeFailure) {
            return try SessionRequest.decode(payload)
        } catch {
            throw error.execError
        }
    }

    private func handle(_ request: SessionRequest) throws(ExecError) {
        switch (request, state) {
        case (.start(let start), .awaitingStart):
            try admit(start)
        case (.start, _):
            throw ExecError(.invalidArgument, "a stream has one Start message")
        case (_, .awaitingStart):
            throw ExecError(.invalidArgument, "the first message must be Start")
        case (.detach, .viewing):
            connection.end(id, with: Frames.end(streamID: id))
        case (.credit(let bytes, let messages), .viewing(let viewer, _)):
            viewer.addCredit(bytes, messages: messages)
            connection.markReady(id)
        case (let request, .viewing(let viewer, let view)):
            try checkControl(request, of: viewer.instance)
            guard !view.readOnly else {
                throw ExecError(.permissionDenied, "this viewer is read-only")
            }
            try control(viewer.instance, request)
        case (_, .over):
            break
        case (_, .starting):
            preconditionFailure("held before")
        }
    }

    private func hold(_ request: SessionRequest, byteCount: Int) throws(ExecError) {
        switch request {
        case .start: throw ExecError(.invalidArgument, "a stream has one Start message")
        case .detach: connection.end(id, with: Frames.end(streamID: id))
        default: try held?.append(request, byteCount: byteCount)
        }
    }

    private func control(
        _ instance: ExecInstance,
        _ request: SessionRequest,
    ) throws(ExecError) {
        switch request {
        case .stdin(let bytes):
            guard let stdin else {
                throw ExecError(.failedPrecondition, "\(instance.key) was started without stdin")
            }
            try stdin.send(bytes, to: instance)
        case .closeStdin:
            instance.closeStdin()
        case .signal(let signal):
            try signal.check()
            // It may have ended just now: then the exit, which is on its way, is the answer.
            let target = Target.exec(instance.key)
            try caller.audited(.signal, on: target) { (entry) throws(ExecError) in
                do throws(ExecError) {
                    try connection.ask { (answered) throws(ExecError) in
                        try instance.signal(signal) { error in
                            entry.tell(error)
                            answered()
                        }
                    }
                } catch {
                    if instance.exit == nil { throw error }
                    entry.tell(error)
                }
            }
        case .resize(let size):
            try connection.ask { (answered) throws(ExecError) in
                try instance.resize(to: size, done: answered)
            }
        case .start, .credit, .detach:
            preconditionFailure("handled before")
        }
    }

    private func admit(_ start: Start) throws(ExecError) {
        let action: Action = start.command == nil ? .attach : .start
        let target = Target.exec(container: start.containerID, exec: start.execID)
        try caller.authorize(action, on: target)
        var start = start
        // Not looked up again: one that is gone meanwhile would have ended this stream below us.
        if !caller.hasControl { start.view.readOnly = true }
        try caller.audited(action, on: target) { [start] (entry) throws(ExecError) in
            try begin(start, entry)
        }
    }

    /// Roles may have changed since the Start.
    private func checkControl(
        _ request: SessionRequest,
        of instance: ExecInstance,
    ) throws(ExecError) {
        guard !caller.mayControl(instance.key), let action = Action(request) else { return }
        try caller.authorize(action, on: .exec(instance.key))
    }

    private func begin(_ start: Start, _ entry: AuditEntry) throws(ExecError) {
        let key = try ExecKey(container: start.containerID, exec: start.execID)
        let (instance, joined) = try instance(key, start)
        state = .starting
        held = HeldRequests()
        let starting = instance.whenStarted { [self, loop] refusal in
            loop.execute { [self] in started(instance, start, joined: joined, entry, refusal) }
        }
        switch starting {
        case .no:
            held = nil
            try view(instance, start, joined: joined, entry)
        case .over: break
        case .waits(let wait):
            // Who has started it has its start told in any case, and there are few of those.
            if joined { waiting = (wait, entry) }
        }
    }

    /// The exec's start has come to its end.
    private func started(
        _ instance: ExecInstance,
        _ start: Start,
        joined: Bool,
        _ entry: AuditEntry,
        _ refusal: ExecError?,
    ) {
        waiting = nil
        guard case .starting = state else {
            // The client has left meanwhile.
            tell(entry, instance, start, joined: joined, refusal)
            if !joined, refusal == nil { instance.starterLeft() }
            return
        }
        do throws(ExecError) {
            if let refusal { throw refusal }
            // The token may have lost its right while the exec was being started.
            try caller.authorize(.attach, on: .exec(instance.key))
            var start = start
            if !caller.hasControl { start.view.readOnly = true }
            try view(instance, start, joined: joined, entry)
        } catch {
            entry.tell(error)
            // Nobody watches what this client has started: as if it had left.
            if !joined, refusal == nil { instance.starterLeft() }
            return connection.fail(id, error)
        }
        // After all who wait on this loop view the exec: none of them is to miss what comes now.
        loop.execute { [self] in handleHeld() }
    }

    private func handleHeld() {
        guard let held else { return }
        self.held = nil
        for request in held.all {
            guard case .viewing = state else { return }
            do throws(ExecError) {
                try handle(request)
            } catch {
                return connection.fail(id, error)
            }
        }
        if held.isHalfClosed, case .viewing = state { halfClosed() }
    }

    private func view(
        _ instance: ExecInstance,
        _ start: Start,
        joined: Bool,
        _ entry: AuditEntry,
    ) throws(ExecError) {
        let attachment = try instance.attach(start.view, waker: self)
        tell(entry, instance, start, joined: joined)
        state = .viewing(attachment.viewer, start.view)
        var ready = Ready(
            info: attachment.info,
            joined: joined,
            firstSequence: attachment.firstSequence,
            lastSequence: attachment.lastSequence,
        )
        if instance.takesStdin, !start.view.readOnly, attachment.info.exit == nil {
            let writer = connection.context.nextWriter()
            let credit = instance.addStdinWriter(writer) { [weak self, loop] bytes in
                loop.execute { [weak self] in self?.grant(bytes) }
            }
            stdin = StdinAccount(writer: writer, credit: credit)
            ready.stdinCredit = UInt64(credit)
        }
        self.ready = ready
        connection.markReady(id)
    }

    /// Writes down what came of a Start.
    private func tell(
        _ entry: AuditEntry,
        _ instance: ExecInstance,
        _ start: Start,
        joined: Bool,
        _ refusal: ExecError? = nil,
    ) {
        if let refusal { return entry.tell(refusal) }
        if start.command == nil { return entry.tell("ok") }
        let isFailure = instance.exit?.reason == .startFailed
        entry.tell(joined ? "joined" : isFailure ? "start_failed" : "started")
    }

    private func instance(
        _ key: ExecKey,
        _ start: Start,
    ) throws(ExecError) -> (ExecInstance, joined: Bool) {
        let context = connection.context
        guard let command = start.command else {
            return (try context.registry.instance(key), true)
        }
        try context.checkStarts()
        // A repeated Start finds its exec, starts nothing, and counts for nothing.
        let isNew = (try? context.registry.instance(key)) == nil
        if isNew { try context.countStart(of: caller.identity) }
        let account = caller.account
        let charge = isNew ? try account.chargeExec(bytes: command.bytesAtStart) : nil
        try account.beginStart()
        let outcome: StartOutcome
        do throws(ExecError) {
            outcome = try context.registry.start(
                key,
                command,
                onDisconnect: start.onDisconnect ?? OnDisconnect(),
                host: context.host,
                loop: loop,
            )
        } catch {
            account.endStart()
            throw error
        }
        if outcome.joined {
            account.endStart()
        } else {
            if let charge { outcome.instance.keep(charge) }
            let bytesKept = command.bytesKept
            let settle: @Sendable () -> Void = {
                charge?.shrink(to: bytesKept)
                account.endStart()
            }
            if case .no = outcome.instance.whenStarted({ _ in settle() }) { settle() }
        }
        return (outcome.instance, outcome.joined)
    }

    private func grant(_ bytes: Int) {
        guard let stdin else { return }
        stdin.grant(bytes)
        connection.markReady(id)
    }

    // MARK: What the client is told

    func pull(into batch: OutgoingBatch, bytesMax: Int) -> StreamTurn {
        guard case .viewing(let viewer, _) = state else { return .idle }
        if let ready {
            self.ready = nil
            return tell(.ready(ready))
        }
        if viewer.mayTell, let credit = stdin?.takeGrant() {
            viewer.told()
            return tell(.stdinCredit(UInt64(credit)))
        }
        let chunks = batch.viewerBatch
        defer { chunks.removeAll() }
        switch viewer.pull(into: chunks, bytesMax: bytesMax) {
        case .chunks:
            return put(chunks, of: viewer, into: batch)
        case .gap(let gap):
            return tell(.gap(gap))
        case .ended(let ended):
            return tell(.ended(ended))
        case .state(let state, let unixNS):
            return tell(.state(state, unixNS: unixNS))
        case .resized(let size):
            return tell(.resized(size))
        case .caughtUp, .windowClosed:
            return .idle
        case .end(let exit):
            return finish(exit)
        case .tooSlow:
            return fail(ExecError(.resourceExhausted, "this viewer was too slow, as it asked"))
        case .unreadable(let errno):
            return fail(ExecError(unreadable: viewer.instance.key, errno))
        }
    }

    /// Puts the chunks into the batch, and gives back those that have no room there.
    private func put(
        _ pulled: ViewerBatch,
        of viewer: ExecViewer,
        into batch: OutgoingBatch,
    ) -> StreamTurn {
        var count = 0
        for chunk in pulled.chunks {
            guard batch.hasRoom else { break }
            batch.appendOutput(chunk, replay: viewer.isReplay(chunk), of: self)
            count += 1
        }
        for chunk in pulled.chunks[count...].reversed() { viewer.rewind(chunk) }
        return .output
    }

    private func tell(_ response: SessionResponse) -> StreamTurn {
        do throws(ExecError) {
            connection.send(try Frames.data(response, streamID: id))
            return .control
        } catch {
            return fail(error)
        }
    }

    private func finish(_ exit: Exit?) -> StreamTurn {
        if let exit, case .idle = tell(.exit(exit)) { return .idle }
        connection.end(id, with: Frames.end(streamID: id))
        return .idle
    }

    private func fail(_ error: ExecError) -> StreamTurn {
        connection.fail(id, error)
        return .idle
    }
}
