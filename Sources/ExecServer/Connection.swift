internal import ExecCore
internal import Kernel
internal import Synchronization
internal import Wire

/// One client's connection: cuts its bytes into frames, its frames into calls, and writes what the
/// calls have to say when its socket can take it.
///
/// Belongs to its loop's thread. Bounded: nothing is queued for a viewer (streams are pulled, see
/// `OutgoingBatch`), and while `outboxBytesMax` of answers wait no further request is heard.
final class Connection: ReadinessHandler, LoopTarget, @unchecked Sendable {
    // Unchecked: all that changes is touched on `loop` only; `wake` and `shutDown` go there first.
    let loop: EventLoop
    let context: ServerContext
    /// For the log.
    let peer: String
    private let authenticator: Authenticator
    private(set) var admission: Admission
    private(set) var socket: Transport?
    private var registration: Registration?
    private var interest: Interest = .readable
    private var decoder = FrameDecoder()
    /// What one read has brought beyond what may be answered now.
    private var unheard: [UInt8] = []
    private(set) var streams: StreamTable
    /// Streams that may have something to send, each once, in the order of their turns.
    private var ready: [UInt32] = []
    private var isReady: Set<UInt32> = []
    private var isFlushScheduled = false
    /// The socket is full: nothing is pulled before it has room again.
    private var isBlocked = false
    /// Whole control frames, after the rest of a frame that is half written.
    private var outbox: [UInt8] = []
    private var authenticationTimer: TimerID?
    /// Answers to wrong tokens, which wait.
    private var held: [TimerID] = []
    private var heldCount = 0
    private var accessGeneration: UInt64 = 0
    private var closing = Closing.no

    private enum Closing {
        case no
        /// The server ends: once the viewers have had their exits and all is written.
        case afterViewers
        /// The peer is not admitted: once it has been told.
        case afterWriting
    }

    private static let outboxBytesMax = 1 << 20
    /// Control frames in one piece of a batch.
    private static let controlBytesMax = 16 << 10
    /// What one stream may put into one batch.
    private static let streamBytesMax = 256 << 10
    /// What one connection may write before the others have their turn.
    private static let turnBytesMax = 256 << 10

    init(
        _ socket: consuming Transport,
        peer: String,
        grant: Grant?,
        authenticator: Authenticator,
        context: ServerContext,
        loop: EventLoop,
    ) {
        self.socket = consume socket
        self.peer = peer
        self.authenticator = authenticator
        self.context = context
        self.loop = loop
        admission = Admission(grant)
        streams = StreamTable(openMax: context.options.streamsPerConnectionMax)
    }

    /// Starts to listen to the client. On the loop, once.
    func begin() {
        guard context.add(self) else {
            context.log.warning("too many connections", ["peer": peer])
            socket.take()?.close()
            return
        }
        do throws(Errno) {
            registration = try socket.lend { (socket) throws(Errno) in
                try loop.register(socket.descriptor, for: interest, self)
            }
        } catch {
            return close("it can't be watched: \(error)")
        }
        guard !admission.isAdmitted else { return }
        authenticationTimer = loop.schedule(after: context.options.authenticationTime) {
            [weak self] in self?.close("it did not authenticate in time")
        }
    }

    func ready(_ readiness: Readiness) {
        if isHandshaking { return shakeHands() }
        if readiness.contains(.writable) {
            isBlocked = false
            flush()
        }
        if readiness.contains(.readable) {
            read()
        } else if readiness.contains(.hangUp) || readiness.contains(.error) {
            close("the peer is gone")
        }
    }

    func woken() {
        isFlushScheduled = false
        if hasUnread, interest.contains(.readable) { read() } else { flush() }
    }

    /// The peer has presented a token with the call `id`; false: it is not right, the call is over, and
    /// the peer is told that after a while.
    func present(token: String, with method: Method, _ id: UInt32) -> Bool {
        accessGeneration = authenticator.generation
        switch admission.present(authenticator.grant(to: token)) {
        case .admitted:
            if let authenticationTimer { loop.cancel(authenticationTimer) }
            authenticationTimer = nil
            return true
        case .refused:
            context.log.warning("wrong token", ["peer": peer])
        case .closed:
            context.log.warning("wrong token, closing", ["peer": peer])
            closing = .afterWriting
        }
        let error = ExecError(.unauthenticated, "the token is not right")
        turnedAway(method, error)
        fail(id, error, after: authenticator.penalty(of: peer))
        return false
    }

    /// A stranger has called `method` without a token.
    func strangerCalled(_ method: Method, _ error: ExecError) {
        if admission.isFirstCallOfStranger() { turnedAway(method, error) }
    }

    /// Looks the peer's token up again where the tokens have changed; false: it is gone, and so is the
    /// connection. On the loop.
    @discardableResult
    func refreshAdmission() -> Bool {
        let generation = authenticator.generation
        guard generation != accessGeneration, let grant = admission.grant else {
            return socket != nil
        }
        accessGeneration = generation
        guard let renewed = authenticator.renewed(grant) else {
            context.log.info("token is gone", ["who": grant.identity.name, "peer": peer])
            close("its token is gone")
            return false
        }
        admission.renew(renewed)
        return true
    }

    // MARK: Calls

    /// A call stays open.
    func open(_ stream: any ServerStream) { streams.insert(stream) }

    /// Ends a call with the answer or the failure that `frame` holds.
    func end(_ id: UInt32, with frame: [UInt8]) {
        if let stream = streams.remove(id) { stream.ended() } else { streams.remember(id) }
        send(frame)
    }

    /// Ends a call that has failed.
    func fail(_ id: UInt32, _ error: ExecError) {
        end(id, with: Frames.failure(error, streamID: id))
    }

    /// Ends a call with a failure that the peer is told later. It is not read meanwhile.
    private func fail(_ id: UInt32, _ error: ExecError, after delay: Duration) {
        streams.remember(id)
        heldCount += 1
        held.append(
            loop.schedule(after: delay) { [weak self] in
                guard let self else { return }
                heldCount -= 1
                send(Frames.failure(error, streamID: id))
            }
        )
    }

    /// Queues whole control frames.
    func send(_ frames: [UInt8]) {
        guard socket != nil else { return }
        outbox += frames
        scheduleFlush()
    }

    /// A stream has something to say. On the loop.
    func markReady(_ id: UInt32) {
        guard socket != nil else { return }
        requeue(id)
        scheduleFlush()
    }

    /// Closes once all that is queued and all that streams have to say now is written.
    func shutDown() {
        loop.execute { [self] in
            if closing == .no { closing = .afterViewers }
            flush()
        }
    }

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.wake(self)
    }

    func close(_ reason: StaticString) { close("\(reason)") }

    func close(_ reason: String) {
        guard let socket = socket.take() else { return }
        context.log.debug("connection closed", ["peer": peer, "reason": reason])
        if let registration { loop.deregister(registration) }
        registration = nil
        socket.close()
        if let authenticationTimer { loop.cancel(authenticationTimer) }
        for timer in held { loop.cancel(timer) }
        for stream in streams.all {
            _ = streams.remove(stream.id)
            stream.ended()
        }
        ready = []
        isReady = []
        outbox = []
        unheard = []
        context.remove(self)
    }
}

// MARK: - Reading

extension Connection {
    func read() {
        // What has come before has its turn first.
        guard unheard.isEmpty else { return flush() }
        do throws(TransportFailure) {
            let scratch = loop.scratch
            guard
                let count = try socket.lend({ (socket) throws(TransportFailure) in
                    try socket.read(into: scratch)
                }) ?? nil
            else { return flush() }
            guard count > 0 else { return close("the peer closed it") }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            hear(RawSpan(_unsafeBytes: bytes))
        } catch {
            close("reading failed: \(error)")
        }
        flush()
        if hasUnread, interest.contains(.readable) { scheduleFlush() }
    }

    /// No event will tell of what is left to read.
    private var hasUnread: Bool { socket.lend { $0.hasUnread } ?? false }

    /// Cuts frames off, as long as the peer takes the answers, and keeps the rest for then.
    private func hear(_ bytes: RawSpan) {
        do throws(NotFrames) {
            let count = try decoder.decode(
                bytes,
                payloadBytesMax: { admission.payloadBytesMax },
                while: { mayHear },
            ) { header, payload in receive(header, payload) }
            if count < bytes.byteCount { unheard = bytes.copy(count..<bytes.byteCount) }
        } catch {
            context.log.warning(
                "not a ttrpc client",
                ["peer": peer, "looks_like": error.looksLike]
            )
            close("it is not ttrpc")
        }
    }

    private var mayHear: Bool { outbox.count < Self.outboxBytesMax }

    private func hearTheRest() {
        var bytes: [UInt8] = []
        swap(&bytes, &unheard)
        hear(bytes.span.bytes)
    }

    private func receive(_ header: FrameHeader, _ payload: RawSpan) {
        guard socket != nil, closing != .afterWriting else { return }
        if header.isOversized {
            return fail(
                header.streamID,
                ExecError(
                    .resourceExhausted,
                    "the message has \(header.length) bytes; at most "
                        + "\(admission.payloadBytesMax) are allowed"
                        + (admission.isAdmitted ? "" : " before the client has authenticated"),
                )
            )
        }
        switch header.type {
        case .request: receiveRequest(header, payload)
        case .data: receiveData(header, payload)
        default: break
        }
    }

    private func receiveRequest(_ header: FrameHeader, _ payload: RawSpan) {
        let id = header.streamID
        do throws(ExecError) {
            if closing != .no { throw ExecError(.unavailable, "the server is shutting down") }
            try streams.checkOpening(id)
        } catch {
            // The open call of that id, if there is one, goes on: the refusal is no end of it.
            return send(Frames.failure(error, streamID: id))
        }
        let request: CallRequest
        do throws(DecodeFailure) {
            request = try CallRequest.decode(payload)
        } catch {
            return fail(id, error.execError)
        }
        Calls(connection: self).open(request, id: id)
        if header.flags.contains(.remoteClosed), !header.flags.contains(.remoteOpen) {
            streams[id]?.halfClosed()
        }
    }

    private func receiveData(_ header: FrameHeader, _ payload: RawSpan) {
        switch streams.destination(of: header.streamID) {
        case .nowhere: break
        // A unary call that is sent more than its message is over, like any failed call.
        case .refused(let error): fail(header.streamID, error)
        case .stream(let stream):
            if !header.flags.contains(.noData) { stream.receive(payload) }
            // The message may have ended the call.
            if header.flags.contains(.remoteClosed) { streams[header.streamID]?.halfClosed() }
        }
    }
}

// MARK: - Writing

extension Connection {
    /// Writes until there is nothing to say, the socket is full, or the turn is over.
    private func flush() {
        // What has been queued meanwhile may be enough not to listen to the peer any more.
        if isBlocked { return setInterest(writable: true) }
        let batch = context.batch(of: loop)
        var written = 0
        do throws(TransportFailure) {
            let isFlushed = try socket.lend { (socket) throws(TransportFailure) in
                try socket.flush()
            }
            if isFlushed == false { return block() }
            while socket != nil {
                fill(batch)
                if batch.isEmpty { return caughtUp() }
                let count = batch.byteCount
                let result = try socket.lend { (socket) throws(TransportFailure) in
                    try batch.send(to: socket)
                }
                if case .partly(let rest)? = result {
                    outbox = rest + outbox
                    return block()
                }
                written += count
                if written >= Self.turnBytesMax { return scheduleFlush() }
            }
        } catch {
            close("writing failed: \(error)")
        }
    }

    private func block() {
        isBlocked = true
        setInterest(writable: true)
    }

    /// Control frames first, then each ready stream in its turn, one batch at most.
    private func fill(_ batch: OutgoingBatch) {
        takeOutbox(into: batch)
        for _ in 0..<ready.count {
            guard outbox.isEmpty, batch.hasRoom, batch.byteCount < Self.streamBytesMax else {
                return
            }
            let id = ready.removeFirst()
            isReady.remove(id)
            pull(id, into: batch)
        }
    }

    /// One stream's turn: control frames as long as it has some, or one run of output. Nothing of
    /// it may follow that in the same batch: a chunk that is taken back must not be overtaken.
    private func pull(_ id: UInt32, into batch: OutgoingBatch) {
        while let stream = streams[id] {
            let turn = stream.pull(into: batch, bytesMax: Self.streamBytesMax)
            takeOutbox(into: batch)
            switch turn {
            case .idle: return
            case .control where outbox.isEmpty: continue
            case .control, .output: return requeue(id)
            }
        }
    }

    private func requeue(_ id: UInt32) {
        if streams[id] != nil, isReady.insert(id).inserted { ready.append(id) }
    }

    private func takeOutbox(into batch: OutgoingBatch) {
        let count = min(outbox.count, Self.controlBytesMax)
        guard count > 0, batch.hasRoom(for: count) else { return }
        batch.appendControl(outbox.span.bytes.extracting(0..<count))
        if count == outbox.count {
            outbox.removeAll(keepingCapacity: outbox.capacity <= Self.controlBytesMax)
        } else {
            outbox.removeFirst(count)
        }
    }

    private func caughtUp() {
        switch closing {
        case .afterViewers where streams.all.contains { $0.isToBeSeenOut }: break
        case .afterWriting where heldCount > 0: break
        case .afterViewers, .afterWriting: return close("everything has been said")
        case .no: break
        }
        if !unheard.isEmpty { hearTheRest() }
        setInterest(writable: false)
    }

    private func setInterest(writable: Bool) {
        var wanted: Interest = writable ? [.writable] : []
        // A peer that does not read its answers is not listened to, nor one that guesses tokens.
        if mayHear, unheard.isEmpty, heldCount == 0 { wanted.insert(.readable) }
        watch(for: wanted)
    }

    /// Changes what the socket is watched for.
    func watch(for wanted: Interest) {
        guard wanted != interest, let registration else { return }
        interest = wanted
        loop.update(registration, to: wanted)
        if hasUnread, wanted.contains(.readable) { scheduleFlush() }
    }
}
