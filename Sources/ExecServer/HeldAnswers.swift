/// How many answers to wrong tokens are held back now, for each network, as a value. An answer that may
/// not be held back is given at once, and its connection closed.
struct HeldAnswers {
    private var counts: [PeerNetwork: Int] = [:]
    private(set) var count = 0

    static let ofNetworkMax = 16
    static let totalMax = 256

    /// False: as many are held back as may be.
    mutating func hold(_ network: PeerNetwork) -> Bool {
        let count = counts[network] ?? 0
        guard count < Self.ofNetworkMax, self.count < Self.totalMax else { return false }
        counts[network] = count + 1
        self.count += 1
        return true
    }

    /// One that was held back is given, or its client has left.
    mutating func release(_ network: PeerNetwork) {
        guard let count = counts[network] else { return }
        counts[network] = count > 1 ? count - 1 : nil
        self.count -= 1
    }
}
