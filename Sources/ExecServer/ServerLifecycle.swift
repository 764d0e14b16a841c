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

/// The life of a server as a value. Each step answers whether it is the one to be taken now.
///
///     made ──▶ starting ──▶ started ──▶ stopping ──▶ stopped
///                 └──▶ failed
struct ServerLifecycle {
    private enum State { case made, starting, started, stopping, stopped, failed }

    private var state = State.made

    /// Whether nothing more will happen.
    var isOver: Bool { state == .stopped || state == .failed }

    mutating func begin() {
        precondition(state == .made, "a server is started once")
        state = .starting
    }

    mutating func started() {
        assert(state == .starting)
        state = .started
    }

    mutating func failed() {
        assert(state == .starting)
        state = .failed
    }

    /// False: it is not up, or somebody else is at it.
    mutating func stop() -> Bool {
        guard state == .started else { return false }
        state = .stopping
        return true
    }

    mutating func stopped() {
        assert(state == .stopping)
        state = .stopped
    }
}
