internal import ExecCore
internal import Kernel
internal import Synchronization
internal import Wire

/// A unary call that is answered later: once, by whichever of its answer, its own time and its
/// deadline comes first, or never, where its connection goes first.
///
/// Its answer is made when there is room for it, as a stream's messages are: many calls that are answered
/// at once fill no memory. Belongs to the connection's loop; `finish` may be called from any thread.
final class PendingCall: ServerStream, @unchecked Sendable {
    // Unchecked: what changes is touched on the connection's loop only.
    let id: UInt32
    private let connection: Connection
    private let caller: Caller
    /// What the caller must be allowed to do as long as the call is open.
    private let right: (action: Action, target: Target)
    private let timeoutNano: Int64
    private var timers: [TimerID] = []
    private var waiter: (instance: ExecInstance, id: UInt64)?
    /// What it does to an exec that is being started: given up with the call.
    private var startWait: (wait: StartWait, givenUp: () -> Void)?
    private var answer: (() -> [UInt8])?
    /// What is gathered for its answer, and how much of that the peer's account was charged for.
    private var gathered: GatheredExecs?
    private var heldBytes = 0
    private(set) var isOpen = false
    private(set) var isOver = false

    init(
        id: UInt32,
        timeoutNano: Int64,
        connection: Connection,
        caller: Caller,
        right: (action: Action, target: Target),
    ) {
        self.id = id
        self.timeoutNano = timeoutNano
        self.connection = connection
        self.caller = caller
        self.right = right
    }

    /// A unary call has said all it has to say.
    var takesMessages: Bool { false }

    /// Keeps the call open; `late` answers it if nothing else has after that time.
    func open(answeringAfter time: Duration? = nil, late: (() -> Void)? = nil) {
        guard !isOpen else { return }
        isOpen = true
        connection.open(self, by: caller)
        if let time, let late {
            timers.append(connection.loop.schedule(after: time) { late() })
        }
        guard timeoutNano > 0 else { return }
        timers.append(
            connection.loop.schedule(after: .nanoseconds(timeoutNano)) { [unowned self] in
                let error = ExecError(.deadlineExceeded, "the call's timeout has passed")
                connection.fail(id, error)
            }
        )
    }

    /// The call, which is open, keeps what `execs` has gathered until it is over. Throws RESOURCE_EXHAUSTED
    /// where that is more than the peer may have.
    func keep(_ execs: GatheredExecs) throws(ExecError) {
        gathered = execs
        try connection.hold(answerBytes: execs.byteCount - heldBytes)
        heldBytes = execs.byteCount
    }

    /// Calls `body` on the loop once the instance has exited, unless the call is over by then.
    func onExit(of instance: ExecInstance, _ body: @escaping @Sendable () -> Void) {
        let registered = instance.onExit { [connection] _ in connection.loop.execute(body) }
        if let registered { waiter = (instance, registered) }
    }

    /// The call waits for an exec's start; `givenUp` is called where it ends before that. On the loop.
    func waits(for wait: StartWait?, orElse givenUp: @escaping () -> Void) {
        if let wait { startWait = (wait, givenUp) }
    }

    /// Answers. On the loop.
    func succeed(_ message: some WireMessage) {
        succeed { [id] in Frames.response(message, streamID: id) }
    }

    /// Answers with what `frame` makes, once there is room for it. On the loop.
    func succeed(with frame: @escaping () -> [UInt8]) {
        guard !isOver else { return }
        isOver = true
        guard isOpen else { return connection.end(id, with: frame()) }
        stopWaiting()
        answer = frame
        connection.markReady(id)
    }

    func pull(into batch: OutgoingBatch, bytesMax: Int) -> StreamTurn {
        guard let answer else { return .idle }
        connection.end(id, with: answer())
        return .control
    }

    /// Answers with an exec's info or a failure. From any thread.
    func finish(_ result: @escaping @Sendable () -> Result<ExecInfo, ExecError>) {
        connection.loop.execute { [self] in
            switch result() {
            case .success(let info): succeed(ExecControlResponse(info: info))
            case .failure(let error):
                guard !isOver else { return }
                connection.fail(id, error)
            }
        }
    }

    func reviewRights() {
        do throws(ExecError) {
            try caller.authorize(right.action, on: right.target)
        } catch {
            connection.fail(id, error)
        }
    }

    func receive(_ payload: RawSpan) { preconditionFailure("a unary call takes no messages") }

    func ended() {
        isOver = true
        answer = nil
        gathered?.drop()
        gathered = nil
        connection.release(answerBytes: heldBytes)
        heldBytes = 0
        stopWaiting()
    }

    private func stopWaiting() {
        for timer in timers { connection.loop.cancel(timer) }
        timers = []
        if let waiter { waiter.instance.cancelOnExit(waiter.id) }
        waiter = nil
        if let startWait, startWait.wait.cancel() { startWait.givenUp() }
        startWait = nil
    }
}
