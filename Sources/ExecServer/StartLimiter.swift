internal import ExecCore
internal import Kernel

/// How often one identity may start something: a bucket of tokens for each, as a value. What time it is
/// is handed in.
///
/// Bounded: it keeps `clientsMax` buckets at most. At that bound those that are full again go, and
/// where none is, a further client shares one bucket with all others that come then.
struct StartLimiter {
    /// Between two tokens, in nanoseconds.
    private let interval: UInt64
    /// How long a full bucket lasts ahead of its time.
    private let burst: UInt64
    private let perSecond: Int
    /// When each client's bucket will be full again.
    private var fullAt: [String: Instant] = [:]

    static let clientsMax = 1_024
    /// A full bucket holds what flows in within so many seconds.
    static let burstSeconds = 2
    private static let others = ""

    /// - Parameter perSecond: 1 at least.
    init(perSecond: Int) {
        precondition(perSecond > 0)
        self.perSecond = perSecond
        interval = max(1, 1_000_000_000 / UInt64(perSecond))
        burst = UInt64(Self.burstSeconds) * 1_000_000_000
    }

    var clientCount: Int { fullAt.count }

    /// Takes a token of the client's. Throws RESOURCE_EXHAUSTED, which says when there is one again.
    mutating func take(_ client: String, at now: Instant) throws(ExecError) {
        let owner = bucket(of: client, at: now)
        let begin = max(fullAt[owner] ?? now, now)
        let end = Instant(nanoseconds: begin.nanoseconds + interval)
        let ahead = end.nanoseconds - now.nanoseconds
        guard ahead <= burst else {
            let milliseconds = (ahead - burst + 999_999) / 1_000_000
            throw ExecError(
                .resourceExhausted,
                "identity \(client) starts more than \(perSecond) execs a second; retry in "
                    + "\(milliseconds) ms"
            )
        }
        fullAt[owner] = end
    }

    private mutating func bucket(of client: String, at now: Instant) -> String {
        guard fullAt[client] == nil, fullAt.count >= Self.clientsMax else { return client }
        fullAt = fullAt.filter { $0.value > now }
        return fullAt.count < Self.clientsMax ? client : Self.others
    }
}
