/// Whether who signals this program insists: signals it again after one that nobody has heeded for a second.
/// Two in one go, or a key pressed twice, are no such thing. A value.
struct Insistence {
    /// When the first signal came that nobody has heeded; nil: there is none.
    private var since: ContinuousClock.Instant?

    static let patience = Duration.seconds(1)

    /// A signal has come. True: it is one too many.
    mutating func signalled(at now: ContinuousClock.Instant) -> Bool {
        guard let since else {
            self.since = now
            return false
        }
        return now - since >= Self.patience
    }

    /// Somebody has heeded what has come.
    mutating func heeded() { since = nil }
}
