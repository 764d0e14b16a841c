internal import ExecModel
internal import Wire

/// Whether a connection's peer is known, as a value: grants in, verdicts out.
struct Admission {
    private enum State {
        case stranger(wrongTokens: Int, hasCalled: Bool)
        case admitted(Grant)
    }

    private var state: State

    /// After this many wrong tokens the connection is closed.
    static let wrongTokensMax = 3

    /// - Parameter grant: by what the socket itself tells of the peer.
    init(_ grant: Grant?) {
        state = grant.map { .admitted($0) } ?? .stranger(wrongTokens: 0, hasCalled: false)
    }

    var grant: Grant? {
        if case .admitted(let grant) = state { return grant }
        return nil
    }

    var identity: Identity? { grant?.identity }

    var isAdmitted: Bool {
        if case .admitted = state { return true }
        return false
    }

    /// The largest message of a peer that is not known: enough for any token, little to hold.
    static let strangerBytesMax = 64 << 10

    /// The largest message that is taken from this peer now.
    var payloadBytesMax: Int { isAdmitted ? Frames.payloadBytesMax : Self.strangerBytesMax }

    enum Verdict: Equatable {
        case admitted
        case refused
        /// Refused, and that was the last try.
        case closed
    }

    /// The peer has presented a token; nil: it was wrong.
    mutating func present(_ grant: Grant?) -> Verdict {
        switch (state, grant) {
        case (.admitted, _):
            return .admitted
        case (.stranger, let grant?):
            state = .admitted(grant)
            return .admitted
        case (.stranger(let wrongTokens, let hasCalled), nil):
            state = .stranger(wrongTokens: wrongTokens + 1, hasCalled: hasCalled)
            return wrongTokens + 1 >= Self.wrongTokensMax ? .closed : .refused
        }
    }

    /// The tokens have changed, and this is what the peer's is worth now.
    mutating func renew(_ grant: Grant) { state = .admitted(grant) }

    /// A stranger has called without a token. True for the first time: only that is told, so that a
    /// stranger can't fill the log.
    mutating func isFirstCallOfStranger() -> Bool {
        guard case .stranger(let wrongTokens, false) = state else { return false }
        state = .stranger(wrongTokens: wrongTokens, hasCalled: true)
        return true
    }
}
