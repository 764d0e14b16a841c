internal import ExecModel
internal import Wire

/// Whether a connection's peer is known, as a value: tokens' grants in, verdicts out.
struct Admission {
    private enum State {
        case unauthenticated(wrongTokens: Int, hasCalled: Bool)
        case admitted
    }

    private var state: State

    /// After this many wrong tokens the connection is closed.
    static let wrongTokensMax = 3

    /// - Parameter isAdmitted: by what the socket itself tells of the peer.
    init(isAdmitted: Bool) {
        state = isAdmitted ? .admitted : .unauthenticated(wrongTokens: 0, hasCalled: false)
    }

    var isAdmitted: Bool {
        if case .admitted = state { return true }
        return false
    }

    /// The largest message of a peer that is not known: enough for any token, little to hold.
    static let unauthenticatedBytesMax = 64 << 10

    /// The largest message that is taken from this peer now.
    var payloadBytesMax: Int { isAdmitted ? Frames.payloadBytesMax : Self.unauthenticatedBytesMax }

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
        case (.unauthenticated, _?):
            state = .admitted
            return .admitted
        case (.unauthenticated(let wrongTokens, let hasCalled), nil):
            state = .unauthenticated(wrongTokens: wrongTokens + 1, hasCalled: hasCalled)
            return wrongTokens + 1 >= Self.wrongTokensMax ? .closed : .refused
        }
    }

    /// An unauthenticated peer has called without a token. True for the first time: only that is told.
    mutating func isFirstUnauthenticatedCall() -> Bool {
        guard case .unauthenticated(let wrongTokens, false) = state else { return false }
        state = .unauthenticated(wrongTokens: wrongTokens, hasCalled: true)
        return true
    }
}
