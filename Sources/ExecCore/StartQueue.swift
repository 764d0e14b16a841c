/// Which starts may be under way at once, as a value: so many in all and so many of one user; the others
/// wait in turn. A user who stops or hangs its starts uses up its own share, and the server's own user has
/// one that nobody else can use up.
///
/// Bounded by the number of execs: each that waits is one.
struct StartQueue<Entry> {
    let ownUser: UInt32
    /// The most of one user, the server's own included.
    static var perUserMax: Int { 64 }
    /// The most of all other users together.
    static var othersMax: Int { 192 }
    /// The most that were given up and whose process is still there.
    static var stuckMax: Int { 1_024 }

    private var users: [UInt32: User] = [:]
    /// Other users whose starts wait, in turn, each once.
    private var turns = Line<UInt32>()
    private var others = 0
    private var stuck = 0

    private struct User {
        var running = 0
        var waiting = Line<Entry>()
    }

    init(ownUser: UInt32) { self.ownUser = ownUser }

    /// A start comes. True: it may begin; else `leave` tells when.
    mutating func enter(_ entry: Entry, of user: UInt32) -> Bool {
        if users[user, default: User()].waiting.isEmpty, mayBegin(user) {
            count(user, 1)
            return true
        }
        if users[user, default: User()].waiting.isEmpty, user != ownUser { turns.append(user) }
        users[user, default: User()].waiting.append(entry)
        return false
    }

    /// A start is over. Returns the one that may begin in its place.
    mutating func leave(_ user: UInt32) -> (entry: Entry, user: UInt32)? {
        count(user, -1)
        return user == ownUser ? next(of: user) : nextOfOthers()
    }

    /// A start was given up, and its process is still there. False: there are too many of those, and it keeps
    /// its place until the process is gone.
    mutating func getStuck() -> Bool {
        guard stuck < Self.stuckMax else { return false }
        stuck += 1
        return true
    }

    /// The process of one that got stuck is gone.
    mutating func stuckEnds() { stuck -= 1 }

    private func mayBegin(_ user: UInt32) -> Bool {
        guard users[user]?.running ?? 0 < Self.perUserMax else { return false }
        return user == ownUser || others < Self.othersMax
    }

    private mutating func count(_ user: UInt32, _ change: Int) {
        users[user, default: User()].running += change
        if user != ownUser { others += change }
        if let entry = users[user], entry.running == 0, entry.waiting.isEmpty { users[user] = nil }
    }

    private mutating func next(of user: UInt32) -> (entry: Entry, user: UInt32)? {
        guard mayBegin(user), let entry = users[user]?.waiting.popFirst() else { return nil }
        count(user, 1)
        return (entry, user)
    }

    private mutating func nextOfOthers() -> (entry: Entry, user: UInt32)? {
        // Those that have their own share already are passed by; they are few, since all have one share.
        for _ in 0..<turns.count {
            guard let user = turns.popFirst() else { return nil }
            let found = next(of: user)
            if users[user]?.waiting.isEmpty == false { turns.append(user) }
            if let found { return found }
            if others >= Self.othersMax { return nil }
        }
        return nil
    }
}

/// First in, first out.
struct Line<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let first = elements[head]
        elements[head] = nil
        head += 1
        if head > 32, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return first
    }
}
