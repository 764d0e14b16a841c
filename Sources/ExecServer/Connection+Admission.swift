internal import ExecModel
internal import Wire

/// Whether a connection's peer is known, as a value: tokens in, verdicts out.
struct Admission {
    private enum State {
        case stranger(wrongTokens: Int)
        case admitted
    }

    private var state: State

    /// After this many wrong tokens the connection is closed.
    static let wrongTokensMax = 3

    /// - Parameter isAdmitted: by what the socket itself tells of the peer.
    init(isAdmitted: Bool) { state = isAdmitted ? .admitted : .stranger(wrongTokens: 0) }

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

    /// The peer has presented a token.
    mutating func present(isRight: Bool) -> Verdict {
        switch state {
        case .admitted:
            return .admitted
        case .stranger where isRight:
            state = .admitted
            return .admitted
        case .stranger(let wrongTokens):
            state = .stranger(wrongTokens: wrongTokens + 1)
            return wrongTokens + 1 >= Self.wrongTokensMax ? .closed : .refused
        }
    }
}
