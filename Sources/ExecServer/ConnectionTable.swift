/// The connections of a server, as a value: who has a place, and who makes way for whom.
///
/// Three kinds are bounded apart, so that none can take the places of another: peers of a Unix socket
/// (`admittedMax`), peers of TCP that have shown a token (`admittedMax`), and unauthenticated peers
/// (`unauthenticatedMax`, and a share of that for each network). A newcomer always gets an unauthenticated
/// place: at a bound, the oldest unauthenticated connection of its network makes way, or, where all places
/// are taken, the oldest of the network that has the most. So a client with a token gets in however many
/// others only sit there, and many addresses help no more than their number.
struct ConnectionTable<Connection: AnyObject> {
    struct Limits {
        var admittedMax: Int
        var unauthenticatedMax: Int

        /// Of one network. Loopback stands for every local client and proxy, and has more.
        func unauthenticatedMax(of network: PeerNetwork) -> Int {
            max(1, network.isLoopback ? unauthenticatedMax / 2 : unauthenticatedMax / 16)
        }
    }

    enum Origin {
        case unix
        case tcp(PeerNetwork)
    }

    enum Verdict {
        /// The connection has a place; `displaced` is to be closed.
        case placed(displaced: Connection?)
        /// It has none, and is to be closed.
        case refused
    }

    private enum Standing {
        case unix
        case authenticated
        case unauthenticated(PeerNetwork, UInt64)
        /// It made way, and is not closed yet.
        case displaced
    }

    private struct Entry {
        let connection: Connection
        var standing: Standing
    }

    /// Connections that made way and are not closed yet.
    static var displacedMax: Int { 1_024 }

    private let limits: Limits
    private var entries: [ObjectIdentifier: Entry] = [:]
    /// Of each network the unauthenticated connections, in the order in which they came.
    private var waiting: [PeerNetwork: ArrivalOrder] = [:]
    private var unauthenticatedCount = 0
    private var unixCount = 0
    private var authenticatedCount = 0
    private var displacedCount = 0
    private var lastArrival: UInt64 = 0

    init(_ limits: Limits) { self.limits = limits }

    var isEmpty: Bool { entries.isEmpty }
    var all: [Connection] { entries.values.map(\.connection) }

    /// A connection has been accepted.
    mutating func add(_ connection: Connection, from origin: Origin) -> Verdict {
        let id = ObjectIdentifier(connection)
        switch origin {
        case .unix:
            guard unixCount < limits.admittedMax else { return .refused }
            unixCount += 1
            entries[id] = Entry(connection: connection, standing: .unix)
            return .placed(displaced: nil)
        case .tcp(let network):
            // Those that made way are closed by their loops; where these lag, nobody else is let in.
            guard displacedCount < Self.displacedMax else { return .refused }
            let displaced = makeRoom(for: network)
            lastArrival += 1
            unauthenticatedCount += 1
            waiting[network, default: ArrivalOrder()].add(id, lastArrival)
            entries[id] = Entry(
                connection: connection,
                standing: .unauthenticated(network, lastArrival)
            )
            return .placed(displaced: displaced)
        }
    }

    /// The connection's peer has shown a token. False: there are as many of these as there may be, and
    /// the connection stays what it was.
    mutating func authenticate(_ connection: Connection) -> Bool {
        let id = ObjectIdentifier(connection)
        guard let entry = entries[id] else { return false }
        switch entry.standing {
        case .unix, .authenticated: return true
        case .unauthenticated, .displaced: break
        }
        guard authenticatedCount < limits.admittedMax else { return false }
        leave(entry.standing, id)
        authenticatedCount += 1
        entries[id]?.standing = .authenticated
        return true
    }

    /// The connection is closed.
    mutating func remove(_ connection: Connection) {
        let id = ObjectIdentifier(connection)
        guard let entry = entries.removeValue(forKey: id) else { return }
        leave(entry.standing, id)
    }

    private mutating func leave(_ standing: Standing, _ id: ObjectIdentifier) {
        switch standing {
        case .unix: unixCount -= 1
        case .authenticated: authenticatedCount -= 1
        case .displaced: displacedCount -= 1
        case .unauthenticated(let network, let arrival):
            unauthenticatedCount -= 1
            waiting[network]?.remove(arrival)
            if waiting[network]?.isEmpty == true { waiting[network] = nil }
        }
    }

    private mutating func makeRoom(for network: PeerNetwork) -> Connection? {
        if (waiting[network]?.count ?? 0) >= limits.unauthenticatedMax(of: network) {
            return displaceOldest(of: network)
        }
        guard unauthenticatedCount >= limits.unauthenticatedMax else { return nil }
        // At most `unauthenticatedMax` networks, and only while all places are taken.
        let most = waiting.max { left, right in
            (left.value.count, right.value.oldest) < (right.value.count, left.value.oldest)
        }
        return most.flatMap { displaceOldest(of: $0.key) }
    }

    private mutating func displaceOldest(of network: PeerNetwork) -> Connection? {
        guard let id = waiting[network]?.oldestID, let entry = entries[id] else { return nil }
        leave(entry.standing, id)
        displacedCount += 1
        entries[id]?.standing = .displaced
        return entry.connection
    }
}

/// Connections in the order in which they came. Adding, removing and taking the oldest are O(1) over time.
private struct ArrivalOrder {
    private var arrivals: [(arrival: UInt64, id: ObjectIdentifier)] = []
    private var head = 0
    private var present: Set<UInt64> = []

    var count: Int { present.count }
    var isEmpty: Bool { present.isEmpty }
    /// The number of the oldest; the largest number where there is none.
    var oldest: UInt64 { head < arrivals.count ? arrivals[head].arrival : .max }
    var oldestID: ObjectIdentifier? { head < arrivals.count ? arrivals[head].id : nil }

    mutating func add(_ id: ObjectIdentifier, _ arrival: UInt64) {
        arrivals.append((arrival, id))
        present.insert(arrival)
    }

    mutating func remove(_ arrival: UInt64) {
        present.remove(arrival)
        while head < arrivals.count, !present.contains(arrivals[head].arrival) { head += 1 }
        // Numbers that are gone from the middle, too, never outnumber those that are there.
        guard arrivals.count > 32, arrivals.count > present.count * 2 else { return }
        arrivals = arrivals[head...].filter { present.contains($0.arrival) }
        head = 0
    }
}
