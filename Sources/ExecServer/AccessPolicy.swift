/// The tokens that are right, and whom each makes of its bearer. A value; at most `entriesMax`.
struct AccessPolicy: Sendable {
    private struct Entry {
        let identity: Identity
        let token: [UInt8]
    }

    private var entries: [Entry] = []
    private var indices: [String: Int] = [:]
    /// The length of the longest token: what is presented is filled up to it.
    private var width = 0

    /// More are refused: each is compared with whatever a stranger presents.
    static let entriesMax = 1_000

    /// Nobody.
    init() {}

    var count: Int { entries.count }

    /// Whether a token has that name.
    func has(name: String) -> Bool { entries.contains { $0.identity.name == name } }

    mutating func add(_ identity: Identity, token: String) {
        precondition(!token.isEmpty, "an empty token is no secret")
        indices[token] = entries.count
        entries.append(Entry(identity: identity, token: Array(token.utf8)))
        width = max(width, token.utf8.count)
    }

    /// Whom the token makes of its bearer; nil: it is not right. The time this takes depends on how
    /// many tokens there are and how long they are, and on what is presented only by its length.
    func identity(presenting token: String) -> Identity? {
        let length = token.utf8.count
        var presented = Array(token.utf8.prefix(width))
        presented += [UInt8](repeating: 0, count: width - presented.count)
        var found = -1
        for index in entries.indices {
            let differs = difference(of: entries[index].token, from: presented, length: length)
            // All ones where there is no difference, else 0: no branch tells which token it was.
            let isEqual = (Int(differs) &- 1) >> 8
            found = (found & ~isEqual) | (index & isEqual)
        }
        return found >= 0 ? entries[found].identity : nil
    }

    /// Whom a token that was right before makes of its bearer now; nil: it is gone. Takes no time that
    /// depends on the number of tokens: all connections ask at once when the tokens change.
    func identity(ofKnown token: String) -> Identity? {
        indices[token].map { entries[$0].identity }
    }

    private func difference(
        of token: [UInt8],
        from presented: [UInt8],
        length: Int,
    ) -> UInt8 {
        var difference: UInt8 = token.count == length ? 0 : 1
        for index in token.indices { difference |= token[index] ^ presented[index] }
        return difference
    }
}
