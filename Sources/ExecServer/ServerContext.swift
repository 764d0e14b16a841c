internal import ExecCore
internal import ExecModel
internal import Kernel
internal import Synchronization

/// What all connections of a server share.
final class ServerContext: Sendable {
    let registry: ExecSessionRegistry
    let host: any ProcessHost
    let options: ServerOptions
    /// What TCP connections get of TLS.
    let tls: LiveTLS
    let access: Authenticator
    let audit: AuditLog
    /// For what peers cause that are not entitled to it.
    let limitedLog: LimitedLog
    /// What each identity has.
    let ledger: IdentityLedger
    /// One batch for each loop, used there only.
    private let batches: [ObjectIdentifier: LoopBound<OutgoingBatch>]
    /// The same for jobs that take more than a turn.
    private let works: [ObjectIdentifier: LoopBound<SlicedWork>]
    /// The part of each loop's time that all peers have together that are not authenticated.
    private let strangersShares: [ObjectIdentifier: LoopBound<CallShare>]
    private let connections: Mutex<Connections>
    private let heldAnswers = Mutex(HeldAnswers())
    /// Nil: there is no limit. A lock is never inside of an optional: to look into that, a copy is made.
    private let starts: Mutex<StartLimiter?>
    private let writers = Atomic<UInt64>(0)
    private let isEnding = Atomic(false)

    init(
        registry: ExecSessionRegistry,
        host: any ProcessHost,
        options: ServerOptions,
        loops: [EventLoop],
    ) {
        self.registry = registry
        self.host = host
        self.options = options
        tls = LiveTLS(options.tls)
        access = Authenticator(
            token: options.token,
            tokensFile: options.tokensFile,
            wrongTokenDelay: options.wrongTokenDelay,
            ownUser: ownUserID(),
            clocks: registry.clocks,
        )
        audit = AuditLog(log: options.log, path: options.auditLogFile, clocks: registry.clocks)
        limitedLog = LimitedLog(log: options.log, audit: audit, clocks: registry.clocks)
        ledger = IdentityLedger(options.identityLimits, loops: loops)
        connections = Mutex(
            Connections(
                table: ConnectionTable(
                    ConnectionTable.Limits(
                        admittedMax: options.connectionsMax,
                        unauthenticatedMax: options.unauthenticatedConnectionsMax,
                    )
                )
            )
        )
        let perSecond = options.startsPerSecondMax
        starts = Mutex(perSecond > 0 ? StartLimiter(perSecond: perSecond) : nil)
        batches = Dictionary(
            uniqueKeysWithValues: loops.map {
                (ObjectIdentifier($0), LoopBound(OutgoingBatch(), on: $0))
            }
        )
        works = Dictionary(
            uniqueKeysWithValues: loops.map {
                (ObjectIdentifier($0), LoopBound(SlicedWork(on: $0), on: $0))
            }
        )
        strangersShares = Dictionary(
            uniqueKeysWithValues: loops.map {
                let share = CallShare($0, pieceTime: CallShare.strangersPieceTime)
                return (ObjectIdentifier($0), LoopBound(share, on: $0))
            }
        )
    }

    var log: ServerLog { options.log }

    func batch(of loop: EventLoop) -> OutgoingBatch {
        guard let batch = batches[ObjectIdentifier(loop)] else {
            preconditionFailure("a connection lives on one of the server's loops")
        }
        return batch.value
    }

    func work(of loop: EventLoop) -> SlicedWork {
        guard let work = works[ObjectIdentifier(loop)] else {
            preconditionFailure("a connection lives on one of the server's loops")
        }
        return work.value
    }

    /// The part of the loop's time that peers have who are not authenticated. On that loop.
    func strangersShare(of loop: EventLoop) -> CallShare {
        guard let share = strangersShares[ObjectIdentifier(loop)] else {
            preconditionFailure("a connection lives on one of the server's loops")
        }
        return share.value
    }

    /// From here on `checkStarts` throws.
    func refuseStarts() { isEnding.store(true, ordering: .sequentiallyConsistent) }

    /// Throws UNAVAILABLE once the server ends.
    func checkStarts() throws(ExecError) {
        guard !isEnding.load(ordering: .sequentiallyConsistent) else {
            throw ExecError(.unavailable, "the server is shutting down")
        }
    }

    /// Throws RESOURCE_EXHAUSTED where this identity starts execs too fast.
    func countStart(of identity: Identity) throws(ExecError) {
        let now = registry.clocks.now
        try starts.withLock { (starts) throws(ExecError) in
            try starts?.take(identity.name, at: now)
        }
    }

    /// A number that no other stdin writer has.
    func nextWriter() -> UInt64 { writers.add(1, ordering: .relaxed).newValue }

    /// A connection has been accepted: whether it has a place, and who makes way for it.
    func add(
        _ connection: Connection,
        from origin: ConnectionTable<Connection>.Origin,
    ) -> ConnectionTable<Connection>.Verdict {
        connections.withLock { state in
            state.isOver ? .refused : state.table.add(connection, from: origin)
        }
    }

    /// The connection's peer has shown a token. False: there are as many of these as there may be.
    func authenticated(_ connection: Connection) -> Bool {
        connections.withLock { $0.table.authenticate(connection) }
    }

    var allConnections: [Connection] { connections.withLock { $0.table.all } }

    func remove(_ connection: Connection) {
        let waiter = connections.withLock { state in
            state.table.remove(connection)
            return state.table.isEmpty ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// Whether one more answer to a wrong token may be held back; `releaseAnswer` must follow then.
    func holdAnswer(to network: PeerNetwork) -> Bool { heldAnswers.withLock { $0.hold(network) } }

    /// How many answers to wrong tokens are held back.
    var heldAnswerCount: Int { heldAnswers.withLock { $0.count } }

    func releaseAnswer(to network: PeerNetwork) { heldAnswers.withLock { $0.release(network) } }

    /// Closes all connections; they are closed once their loops have come to it. From any thread.
    func abandonConnections(_ reason: StaticString) {
        for connection in allConnections {
            connection.loop.execute { connection.close(reason) }
        }
    }

    /// Lets every connection say what it has to say, and returns once all are closed; those that
    /// are not by then are closed after `time`.
    func closeConnections(within time: Duration, timer loop: EventLoop) async {
        let all = connections.withLock { state in
            state.isOver = true
            return state.table.all
        }
        for connection in all { connection.shutDown() }
        loop.execute { [self] in
            loop.schedule(after: time) { [self] in
                abandonConnections("it did not read its last bytes")
            }
        }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isDone = connections.withLock { state in
                if !state.table.isEmpty { state.waiter = continuation }
                return state.table.isEmpty
            }
            if isDone { continuation.resume() }
        }
    }

    private struct Connections {
        var table: ConnectionTable<Connection>
        /// The server ends: no further one is taken.
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?
    }
}
