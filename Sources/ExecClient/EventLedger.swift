internal import ExecModel

/// Where one subscription stands in the events of its server, across breaks. A value.
///
/// Every server counts its events from 1, and none says which one it is. So after a break the event
/// that was seen last is asked for again, and one that has another in its place is another server: what
/// that has told before can't be asked for.
struct EventLedger {
    /// What follows this one is wanted; 0: what comes from now on.
    private var afterSequence: UInt64
    private var last: LifecycleEvent?
    /// The next event has to be the last one again.
    private var isChecking = false

    /// A subscription to what follows this event; 0: to what comes from now on.
    init(afterSequence: UInt64) { self.afterSequence = afterSequence }

    /// Where to subscribe, now or after a break.
    mutating func subscribing() -> UInt64 {
        // What follows 0 can't be asked for, so the very first one is not checked.
        guard let last, last.sequence > 1 else { return afterSequence }
        isChecking = true
        return last.sequence - 1
    }

    /// An event. Nil: it has come before. Throws OUT_OF_RANGE where it is another server's.
    mutating func take(_ event: LifecycleEvent) throws(ExecError) -> LifecycleEvent? {
        var event = event
        if isChecking, let last {
            isChecking = false
            if event.isSame(as: last) { return nil }
            // The server keeps it no more, and counts it among those that were missed.
            guard event.missed > 0 else { throw Self.isAnother() }
            event.missed -= 1
        }
        afterSequence = max(afterSequence, event.sequence)
        last = event
        return event
    }

    /// The server has refused the subscription.
    func refused(_ error: ExecError) -> ExecError {
        last != nil && error.code == .outOfRange ? Self.isAnother(error) : error
    }

    private static func isAnother(_ cause: ExecError? = nil) -> ExecError {
        let message =
            "the connection broke, and the server that came back counts its events anew; what has"
            + " happened meanwhile is not known: begin again, and list the execs"
        return ExecError(.outOfRange, message, cause: cause)
    }
}

extension LifecycleEvent {
    /// Whether it is the same event, told again.
    fileprivate func isSame(as other: LifecycleEvent) -> Bool {
        sequence == other.sequence && unixNS == other.unixNS && kind == other.kind
    }
}
