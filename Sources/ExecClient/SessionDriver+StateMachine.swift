internal import ExecModel
internal import Kernel

extension SessionDriver {
    /// What a session knows and where it stands, across the breaks of its connection. Events in,
    /// actions out.
    struct StateMachine {
        private(set) var phase = Phase.opening
        private var ledger: OutputLedger
        private let view: View
        private let resumeLimit: Duration
        private var brokenSince: Instant?
        private var backoff: Backoff
        /// The newest chunk when the first view began.
        private var firstReady: UInt64?
        /// An exit is known to the server, so that the session must not end without one.
        private var hasExited = false
        private var endedWasTold = false
        private var stateTold: SessionEvent.StateChange?
        private var windowTold: WindowSize?

        /// Opens a session with this view.
        init(view: View, resumeLimit: Duration) {
            self.view = view
            self.resumeLimit = resumeLimit
            ledger = OutputLedger(from: view.from)
            backoff = Backoff(limit: resumeLimit)
        }

        /// Where a session stands.
        enum Phase: Equatable {
            /// The first Start waits for a connection.
            case opening
            /// A Start is on its way, and its Ready has not come.
            case started
            /// The view is attached.
            case following
            /// The connection broke; a new Start is due.
            case broken
            /// Nothing more will come.
            case over
        }

        /// What to do after a break.
        enum AfterBreak {
            case retry(after: Duration)
            case fail(ExecError)
            case nothing
        }
    }
}

extension SessionDriver.StateMachine {
    /// Whether the first Ready has come: then the exec exists, and a Start without a command attaches.
    var wasReady: Bool { firstReady != nil }

    /// A Start goes out. Answers the place its view begins at.
    mutating func starting() -> View.From {
        assert(phase != .over && phase != .following, "a Start in the phase \(phase)")
        phase = .started
        return wasReady ? ledger.resumePoint : view.from
    }

    /// The view is attached: for the first time, or again after a break. Then a window is one that
    /// the caller does not know.
    mutating func ready(
        lastSequence: UInt64,
        window: WindowSize?,
        hasExited: Bool,
    ) throws(ExecError) -> (isFirst: Bool, window: WindowSize?) {
        guard phase == .started else {
            throw ExecError(.internalError, "the server sent Ready twice on one session")
        }
        phase = .following
        self.hasExited = self.hasExited || hasExited
        brokenSince = nil
        backoff = Backoff(limit: resumeLimit)
        let isNews = window != windowTold
        windowTold = window
        guard firstReady == nil else {
            // One that does not follow wants nothing that came meanwhile.
            if !view.noFollow { ledger.resumed() }
            return (false, isNews ? window : nil)
        }
        firstReady = lastSequence
        ledger.ready(lastSequence: lastSequence)
        return (true, nil)
    }

    /// A chunk. False: it came before the break, too.
    mutating func output(
        sequence: UInt64,
        offset: UInt64,
        stream: ExecStream,
        count: Int,
    ) throws(ExecError) -> Bool {
        try mustFollow()
        return try ledger.output(sequence: sequence, offset: offset, stream: stream, count: count)
    }

    /// A gap. Answers what of it is news; nil: nothing.
    mutating func gap(_ gap: Gap) throws(ExecError) -> Gap? {
        try mustFollow()
        return try ledger.gap(gap)
    }

    /// The process has ended. False: it was told before a break, too.
    mutating func ended() throws(ExecError) -> Bool {
        try mustFollow()
        defer { endedWasTold = true }
        return !endedWasTold
    }

    /// The state has changed. False: that is known.
    mutating func state(_ change: SessionEvent.StateChange) throws(ExecError) -> Bool {
        try mustFollow()
        defer { stateTold = change }
        return stateTold != change
    }

    /// The terminal has been resized.
    mutating func resized(_ size: WindowSize) throws(ExecError) {
        try mustFollow()
        windowTold = size
    }

    /// The exit. It is only told if the books balance.
    mutating func exit(_ exit: Exit) throws(ExecError) {
        try mustFollow()
        phase = .over
        try ledger.exit(exit)
    }

    /// The server has closed the stream. Throws unless that is a proper end.
    mutating func closed() throws(ExecError) {
        guard phase != .over else { return }
        let wasFollowing = phase == .following
        phase = .over
        guard wasFollowing, view.noFollow, !hasExited else {
            throw ExecError(.aborted, "the server ended the session before the exit")
        }
        try ledger.end(lastSequence: firstReady ?? 0)
    }

    /// The connection broke, or none could be made.
    mutating func lost(_ error: ExecError, now: Instant) -> AfterBreak {
        switch phase {
        case .over:
            return .nothing
        case .opening:
            // Nothing was sent, so nothing is lost: the caller had better know that nobody answers.
            phase = .over
            return .fail(error)
        case .started, .following, .broken:
            phase = .broken
            let since = brokenSince ?? now
            brokenSince = since
            if error.code == .unavailable, let delay = backoff.next(elapsed: now - since) {
                return .retry(after: delay)
            }
            phase = .over
            return .fail(error.code == .unavailable ? gaveUp(error) : error)
        }
    }

    /// The server has refused the session.
    mutating func refused(_ error: ExecError, now: Instant) -> AfterBreak {
        guard phase != .over else { return .nothing }
        // A server that is just starting or stopping says so: that is like no server at all.
        if error.code == .unavailable, brokenSince != nil { return lost(error, now: now) }
        phase = .over
        guard error.code == .notFound, brokenSince != nil else { return .fail(error) }
        let message =
            "the connection broke, and after it came back the server does not know the exec"
            + " any more: \(error.message)"
        return .fail(ExecError(.notFound, message, cause: error))
    }

    /// The caller has lost interest.
    mutating func abandoned() { phase = .over }

    private func gaveUp(_ error: ExecError) -> ExecError {
        let message =
            "the connection broke and did not come back within \(resumeLimit): \(error.message)"
        return ExecError(.unavailable, message, cause: error)
    }

    private func mustFollow() throws(ExecError) {
        guard phase == .following else {
            throw ExecError(.internalError, "the server sent a session message out of place")
        }
    }
}
