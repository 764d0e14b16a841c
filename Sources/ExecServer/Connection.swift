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
    let network: PeerNetwork
    let authenticator: Authenticator
    var admission: Admission
    /// Who makes the calls that name nobody else; nil: the peer is not authenticated.
    private(set) var caller: Caller?
    /// Who makes calls with metadata of their own, by token.
    var knownCallers: [String: Caller] = [:]
    /// The part of the loop's time that the peer's calls have: that of its identity, or, before it is
    /// authenticated, that of all who are not. Nil before `begin`.
    private(set) var share: CallShare?
    /// It is heard for the last time, and waits for no time in line.
    var isHeardLast = false
    /// It waits for its part of the loop's time.
    var isInLine = false
    /// What the peer's account was charged for what is held here of messages and answers.
    var heldBytes = 0
    /// The part of it that is answers which are being gathered, or wait for room.
    var answerBytes = 0
    private(set) var socket: Transport?
    var registration: Registration?
    var interest: Interest = .readable
    var decoder = FrameDecoder()
    /// What one read has brought beyond what may be answered now.
    var unheard: [UInt8] = []
    /// When the present turn of hearing ends, when the clock was last read in it, and whether it is over.
    var hearingEnd = Instant(nanoseconds: 0)
    var hearingClock = Instant(nanoseconds: 0)
    var isHeardOut = false
    /// Data frames that were heard since the clock was read.
    var dataHeard = 0
    /// Publishers whose newest bytes are not written yet, since more may have come with them.
    var unwritten: [PublishStream] = []
    /// What other loops do for this peer now: while there is too much of it, it is not heard.
    var asked = 0
    var streams: StreamTable
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
    /// Where the connection counts; a token's name may change.
    private(set) var countedIn: IdentityAccount?
    private var authenticationTimer: TimerID?
    private var lingerTimer: TimerID?
    private static let lingerTimeMin = Duration.milliseconds(50)
    private static let lingerTimeMax = Duration.seconds(2)
    /// Answers to wrong tokens, which wait: of the peer itself, and of single calls.
    var held: [Int: TimerID] = [:]
    var heldCalls: [Int: TimerID] = [:]
    var heldSoFar = 0
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
        network: PeerNetwork,
        isAdmitted: Bool,
        authenticator: Authenticator,
        context: ServerContext,
        loop: EventLoop,
    ) {
        self.socket = consume socket
        self.peer = peer
        self.network = network
        self.authenticator = authenticator
        self.context = context
        self.loop = loop
        admission = Admission(isAdmitted: isAdmitted)
        streams = StreamTable(openMax: context.options.streamsPerConnectionMax)
    }

    /// Starts to listen to the client, whom the kernel has named where there is a grant. On the loop, once.
    func begin(_ grant: Grant?) {
        do throws(Errno) {
            registration = try socket.lend { (socket) throws(Errno) in
                try loop.register(socket.descriptor, for: interest, self)
            }
        } catch {
            return close("it can't be watched: \(error)")
        }
        if let grant { return beginAdmitted(grant) }
        share = context.strangersShare(of: loop)
        authenticationTimer = loop.schedule(after: context.options.authenticationTime) {
            [weak self] in self?.close("it did not authenticate in time")
        }
    }

    private func beginAdmitted(_ grant: Grant) {
        do throws(ExecError) {
            try admit(Caller(grant, generation: authenticator.generation, on: self))
        } catch {
            turnAway(error)
        }
    }

    /// There is no place for a peer that would be admitted. On the loop.
    func turnAway(_ error: ExecError) {
        complain { context.log.warning("too many connections", ["peer": peer]) }
        // To what may be a call on its way: of whichever client, the first is number 1.
        socket.lend {
            if !$0.isProtected { $0.answerInPlainText(Frames.failure(error, streamID: 1)) }
        }
        close("there is no place for it")
    }

    /// A newer connection takes the place of this one, unless a right token has arrived here. On the loop.
    func makeWay() {
        guard caller == nil, socket != nil else { return }
        if held.isEmpty, closing == .no, !isHandshaking { hearLast() }
        if caller == nil { close("it made way for a newer one") }
    }

    /// The peer is known.
    func became(_ caller: Caller) {
        self.caller = caller
        share = caller.account.share(of: loop)
        countedIn = caller.account
        if let authenticationTimer { loop.cancel(authenticationTimer) }
        authenticationTimer = nil
    }

    func ready(_ readiness: Readiness) {
        if isHandshaking { return shakeHands() }
        if readiness.contains(.writable) {
            isBlocked = false
            flush()
        }
        if readiness.contains(.peerClosed) {
            // It is watched for that only while an answer is held back.
            close("the peer left before its answer")
        } else if readiness.contains(.readable) {
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

    // MARK: Calls

    /// A call stays open.
    func open(_ stream: any ServerStream, by caller: Caller) {
        caller.account.addStream()
        streams.insert(stream, countedIn: caller.account)
    }

    /// Ends a call with the answer or the failure that `frame` holds.
    func end(_ id: UInt32, with frame: [UInt8]) {
        if let stream = streams.remove(id) { stream.ended() } else { streams.remember(id) }
        send(frame)
    }

    /// Ends a call that has failed.
    func fail(_ id: UInt32, _ error: ExecError) {
        end(id, with: Frames.failure(error, streamID: id))
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
        dropHeldAnswers()
        outbox.removeAll()
        unheard = []
        giveBackAccount()
        endStreams()
    }

    /// Not by `settleHeldBytes`: the connection may close while its decoder hands out a frame.
    private func giveBackAccount() {
        _ = countedIn?.hold(bytes: -heldBytes)
        heldBytes = 0
        countedIn?.removeConnection()
        countedIn = nil
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
