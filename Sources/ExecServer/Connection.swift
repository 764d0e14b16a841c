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
    var registration: Registration?
    var interest: Interest = .readable
    var decoder = FrameDecoder()
    /// What one read has brought beyond what may be answered now.
    var unheard: [UInt8] = []
    /// When the present turn of hearing ends, and whether it has.
    var hearingEnd = Instant(nanoseconds: 0)
    var isHeardOut = false
    /// Data frames that were heard since the clock was read.
    var dataHeard = 0
    /// Publishers whose newest bytes are not written yet, since more may have come with them.
    var unwritten: [PublishStream] = []
    /// What other loops do for this peer now: while there is too much of it, it is not heard.
    var asked = 0
    private(set) var streams: StreamTable
    /// Calls of a connection that has ended, which are being ended.
    private var leaving: [any ServerStream] = []
    private var isLeaving = false
    private static let leavingAtOnceMax = 8
    /// Streams that may have something to send.
    var ready = TurnQueue()
    private var isFlushScheduled = false
    /// The socket is full: nothing is pulled before it has room again.
    var isBlocked = false
    /// Whole control frames, after the rest of a frame that is half written.
    var outbox = Outbox()
    private var authenticationTimer: TimerID?
    private var lingerTimer: TimerID?
    private static let lingerTimeMin = Duration.milliseconds(50)
    private static let lingerTimeMax = Duration.seconds(2)
    /// Answers to wrong tokens, which wait, in the order in which they came.
    private(set) var held: [Int: TimerID] = [:]
    private var heldSoFar = 0
    private var accessGeneration: UInt64 = 0
    var closing = Closing.no

    enum Closing {
        case no
        /// The server ends: once the viewers have had their exits and all is written.
        case afterViewers
        /// The peer is not admitted: once it has been told.
        case afterWriting
        /// All has been said, and not all of it has arrived: once it has, or the peer has closed it.
        case lingering
    }

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
            // It is told again and again, until all that came before it has been heard.
            if unheard.isEmpty || !mayHear { close("the peer is gone") } else { hearSome() }
        }
    }

    func woken() {
        isFlushScheduled = false
        if mayRead, hasUnread { read() } else { flush() }
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
        heldSoFar += 1
        let number = heldSoFar
        held[number] = loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            held[number] = nil
            send(Frames.failure(error, streamID: id))
        }
    }

    /// Queues whole control frames.
    func send(_ frames: [UInt8]) {
        guard socket != nil, closing != .lingering else { return }
        outbox.append(frames)
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

    func scheduleFlush() {
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
        if let lingerTimer { loop.cancel(lingerTimer) }
        for timer in held.values { loop.cancel(timer) }
        outbox.removeAll()
        unheard = []
        endStreams()
    }

    /// Everything has been said. A machine that is sent something for a closed socket forgets what that
    /// has not delivered yet, and the peer may say something at any time: so what is still on its way is
    /// waited for, or that the peer has closed its side as well.
    func closeOnceDelivered() {
        if isDelivered { return close("everything has been said") }
        closing = .lingering
        unheard = []
        endStreams()
        socket.lend {
            $0.sayEnd()
            Sockets.shutdownWrites($0.descriptor)
        }
        watch(for: .readable)
        linger(for: Self.lingerTimeMin)
    }

    /// Looks ever more rarely whether all has arrived, since no event tells of it.
    private func linger(for time: Duration) {
        lingerTimer = loop.schedule(after: time) { [weak self] in
            guard let self else { return }
            if isDelivered { return close("everything has arrived") }
            if time > Self.lingerTimeMax { return close("it did not take everything in time") }
            linger(for: time * 2)
        }
    }

    private var isDelivered: Bool { socket.lend { !Sockets.hasUndelivered($0.descriptor) } ?? true }

    /// Ends all calls. Where there are many this goes on in later turns: each has its viewer leave, and
    /// many connections may end at once.
    private func endStreams() {
        ready.removeAll()
        leaving += streams.removeAll()
        if leaving.count <= Self.leavingAtOnceMax { return endSome() }
        guard !isLeaving else { return }
        isLeaving = true
        context.work(of: loop).add { [self] in
            endSome()
            isLeaving = !leaving.isEmpty
            return isLeaving
        }
    }

    private func endSome() {
        for _ in 0..<Self.leavingAtOnceMax {
            guard let stream = leaving.popLast() else { break }
            stream.ended()
        }
        // A server that ends waits for its connections, and so for their viewers.
        if leaving.isEmpty, socket == nil { context.remove(self) }
    }
}
