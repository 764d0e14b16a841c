/// What a token is good for. Each role may do all that the ones before it may.
enum Role: String, CaseIterable, Comparable, Sendable {
    /// Look on: attach, wait, list, status, events.
    case view
    /// Start execs, feed, signal and stop them, and publish.
    case run
    /// Everything: also remove execs, and pause, resume and signal whole containers.
    case admin

    static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .view: 0
        case .run: 1
        case .admin: 2
        }
    }
}
