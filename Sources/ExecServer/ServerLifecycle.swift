public import ExecModel

/// What a server is doing, as its embedder is told.
public enum ServerEvent: Sendable {
    /// It is about to listen.
    case starting
    /// It listens on these addresses.
    case started([String])
    /// It takes no new connection, and stops its execs.
    case stopping
    /// All is quiet: no exec, no connection, no thread and no socket is left.
    case stopped
    /// It could not listen, and is over.
    case failed(ExecError)
}

/// The life of a server as a value.
///
///     made ──▶ starting ──▶ started ──▶ stopping ──▶ over
///       │          └── it could not listen ──────────▲
///       └── it was shut down before it was started ──┘
struct ServerLifecycle {
    private enum State { case made, starting, started, stopping, over }

    /// What somebody who wants it to end has to do.
    enum Stop { case begin, waitForStart, waitForEnd }

    private var state = State.made

    /// Whether nothing more will happen.
    var isOver: Bool { state == .over }

    /// Whether it has come up, or never will.
    var isSettled: Bool { state != .made && state != .starting }

    mutating func begin() {
        precondition(state == .made, "a server is started once, and not after it was shut down")
        state = .starting
    }

    mutating func started() {
        assert(state == .starting)
        state = .started
    }

    mutating func stop() -> Stop {
        switch state {
        case .made, .started:
            state = .stopping
            return .begin
        case .starting: return .waitForStart
        case .stopping, .over: return .waitForEnd
        }
    }

    mutating func ended() {
        assert(state == .starting || state == .stopping)
        state = .over
    }
}
