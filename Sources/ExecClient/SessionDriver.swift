internal import ExecModel
internal import Kernel
internal import Wire

/// One session's side of the loop, across all connections it takes. The loop's thread only.
///
/// What it holds is bounded: output by the credit window, which is never given more than the caller
/// has consumed; stdin by its callers, who wait; control messages by their queue.
final class SessionDriver: CallHandler {
    private let core: ClientCore
    private let request: SessionPlan
    private let mailbox: Mailbox<SessionEvent>
    private let window: SharedWindow
    private var machine: StateMachine
    private var call: Call?
    var stdin = StdinQueue()
    private var controls = ControlQueue()

    /// A session that has not begun.
    init(
        core: ClientCore,
        request: SessionPlan,
        mailbox: Mailbox<SessionEvent>,
        window: SharedWindow,
    ) {
        self.core = core
        self.request = request
        self.mailbox = mailbox
        self.window = window
        machine = StateMachine(view: request.view, resumeLimit: core.resumeLimit)
    }

    /// Sends a Start, as soon as there is a connection; after a break not before `delay`.
    func open(after delay: Duration? = nil) {
        let call = Call(.session, handler: self)
        self.call = call
        core.start(call, after: delay)
    }

    /// The caller has lost interest: nothing more is delivered or asked for.
    func abandon() {
        // After the exit there is nothing left to call off.
        if machine.phase == .over { return mailbox.finish(.success(()), discarding: true) }
        // Without it the server would go on to count and serve a viewer that is not there.
        try? call?.send(SessionRequest.detach)
        end(.failure(.callerCancelled), discarding: true)
    }

    /// Grants credit for what the caller has consumed.
    func grantCredit() {
        // Without a connection the next view's window says it.
        guard machine.phase == .started || machine.phase == .following else { return }
        let credit = window.takeCredit()
        if credit != .init() { send(.credit(credit.bytes, chunks: credit.chunks)) }
    }

    /// Sends a control message, now or when the session is on a connection.
    func control(_ message: SessionRequest, done: Promise<Void>) {
        switch machine.phase {
        case .over:
            done.settle(.failure(Self.isOver))
        case .started, .following:
            send(message)
            done.settle(.success(()))
        case .opening, .broken:
            controls.append(message, done: done)
        }
    }

    /// Queues stdin.
    func send(_ bytes: [UInt8], done: Promise<Void>) {
        guard machine.phase != .over else { return done.settle(.failure(Self.isOver)) }
        stdin.append(bytes, done: done)
        pumpStdin()
    }

    /// Queues the end of stdin.
    func closeStdin(done: Promise<Void>) {
        guard machine.phase != .over else { return done.settle(.failure(Self.isOver)) }
        stdin.appendEnd(done: done)
        pumpStdin()
    }

    /// Takes back what its sender no longer waits for.
    func cancelSend(_ done: Promise<Void>) { stdin.cancel(done) }

    /// Sends as much stdin as there is credit and room for.
    private func pumpStdin() {
        guard machine.phase == .following, let call else { return }
        while call.hasRoom, let next = stdin.next() {
            switch next {
            case .bytes(let bytes): send(.stdin(bytes))
            case .end: send(.closeStdin)
            }
        }
    }

    /// A message too large to send ends the session.
    private func send(_ message: SessionRequest) {
        do throws(ExecError) { try call?.send(message) } catch { end(.failure(error)) }
    }

    private static var isOver: ExecError {
        ExecError(.failedPrecondition, "the session is over")
    }
}

// MARK: - What the call tells

extension SessionDriver {
    func began(_ call: Call) {
        // An abandoned session's call is never begun.
        let view = View(request.view, from: machine.starting(), window: window.resume())
        let start = Start(
            containerID: request.key.containerID,
            execID: request.key.execID,
            // Once the exec is known to exist, a Start must not be able to make another.
            command: machine.wasReady ? nil : request.command,
            view: view,
            onDisconnect: request.onDisconnect,
        )
        send(.start(start))
        for control in controls.takeAll() {
            send(control.message)
            control.done.settle(.success(()))
        }
    }

    func message(_ payload: RawSpan) {
        do throws(ExecError) {
            let response = try Self.decode(payload)
            try receive(response)
            acknowledge(response)
        } catch {
            end(.failure(error))
        }
    }

    func hasRoom() { pumpStdin() }

    func ended() {
        do throws(ExecError) {
            try machine.closed()
            end(.success(()))
        } catch {
            end(.failure(error))
        }
    }

    func response(_ payload: [UInt8]) { ended() }

    func failed(_ error: ExecError) {
        call = nil
        act(machine.refused(error, now: core.loop.now))
    }

    func lost(_ error: ExecError) {
        call = nil
        stdin.connectionBroke()
        act(machine.lost(error, now: core.loop.now))
    }

    private func act(_ next: StateMachine.AfterBreak) {
        switch next {
        case .nothing: break
        case .fail(let error): end(.failure(error))
        case .retry(let delay): open(after: delay)
        }
    }

    /// The session is over, and with it its call.
    private func end(_ result: Result<Void, ExecError>, discarding: Bool = false) {
        machine.abandoned()
        call?.abandon()
        call = nil
        settle(result, discarding: discarding)
    }

    /// Tells everybody who waits that it is over.
    private func settle(_ result: Result<Void, ExecError>, discarding: Bool = false) {
        let error: ExecError = if case .failure(let error) = result { error } else { Self.isOver }
        for control in controls.takeAll() { control.done.settle(.failure(error)) }
        stdin.failAll(error)
        mailbox.finish(result, discarding: discarding)
    }
}

// MARK: - What the server tells

extension SessionDriver {
    /// Nil: a message that this library does not know.
    private static func decode(_ payload: RawSpan) throws(ExecError) -> SessionResponse? {
        do throws(DecodeFailure) {
            return try SessionResponse.decode(payload)
        } catch {
            if error.isUnknownMessage { return nil }
            throw ExecError(.internalError, error.message, cause: error)
        }
    }

    private func receive(_ response: SessionResponse?) throws(ExecError) {
        switch response {
        case nil: break
        case .ready(let ready): try receive(ready)
        case .output(let output): try receive(output)
        case .gap(let gap):
            if let news = try machine.gap(gap) {
                mailbox.put(.gap(news), merge: news.merge(into:))
            }
        case .ended(let end):
            guard try machine.ended() else { return }
            mailbox.put(
                .ended(.init(code: end.code, signal: end.signal, unixNS: end.unixNS)),
            )
        case .state(let state, let unixNS):
            let change = SessionEvent.StateChange(state: state, unixNS: unixNS)
            guard try machine.state(change) else { return }
            mailbox.put(.state(change)) { newest in
                guard case .state = newest else { return newest.mayBeOvertaken }
                newest = .state(change)
                return .merged
            }
        case .resized(let size):
            try machine.resized(size)
            tell(resized: size)
        case .stdinCredit(let bytes):
            stdin.grant(bytes)
            pumpStdin()
        case .exit(let exit):
            try machine.exit(exit)
            mailbox.put(.exit(exit))
            // The call itself goes on until the server ends it, which is next.
            call?.finishSending()
            settle(.success(()))
        }
    }

    /// Ready and the exit need no credit, and that for output is granted once it was taken.
    private func acknowledge(_ response: SessionResponse?) {
        switch response {
        case .ready, .exit, .output: break
        case nil, .gap, .ended, .state, .resized, .stdinCredit:
            if window.acknowledged() { grantCredit() }
        }
    }

    private func receive(_ ready: Ready) throws(ExecError) {
        let (isFirst, window) = try machine.ready(
            lastSequence: ready.lastSequence,
            window: ready.info.window,
            hasExited: ready.info.exit != nil,
        )
        let stdinUncertain = stdin.attached(
            credit: ready.stdinCredit,
            isTerminal: ready.info.tty,
        )
        if isFirst {
            let event = SessionEvent.Ready(
                info: ready.info,
                joined: ready.joined,
                firstSequence: ready.firstSequence,
                lastSequence: ready.lastSequence,
            )
            mailbox.put(.ready(event))
        } else {
            let resumption = SessionEvent.Resumption(stdinUncertain: stdinUncertain)
            mailbox.put(.resumed(resumption)) { newest in
                guard case .resumed(var both) = newest else { return .stop }
                both.stdinUncertain = both.stdinUncertain || stdinUncertain
                newest = .resumed(both)
                return .merged
            }
            if let window { tell(resized: window) }
        }
        pumpStdin()
    }

    private func tell(resized size: WindowSize) {
        mailbox.put(.resized(size)) { newest in
            guard case .resized = newest else { return newest.mayBeOvertaken }
            newest = .resized(size)
            return .merged
        }
    }

    private func receive(_ output: Output) throws(ExecError) {
        let count = output.bytes.count
        let isNew = try machine.output(
            sequence: output.sequence,
            offset: output.offset,
            stream: output.stream,
            count: count,
        )
        guard isNew else {
            // It used up credit all the same.
            return try window.dropped(count) ? grantCredit() : ()
        }
        try window.delivered(count)
        mailbox.put(
            .output(
                .init(
                    sequence: output.sequence,
                    offset: output.offset,
                    unixNS: output.unixNS,
                    replay: output.replay,
                    stream: output.stream,
                    bytes: output.bytes,
                ),
            ),
        )
    }
}
