internal import ExecModel
internal import Wire

/// Which frame belongs to which call, as a value. It knows the open calls and, of those that are
/// over, as much as is needed to tell a late frame from a wrong one.
struct StreamTable {
    private struct Entry {
        let stream: any ServerStream
        let account: IdentityAccount
    }

    private var open: [UInt32: Entry] = [:]
    /// Calls that the server has ended: Data for them still arrives now and then. The newest
    /// `rememberedMax`; an older one counts as one that never was.
    private var over: Set<UInt32> = []
    private var overInOrder: [UInt32] = []
    private var overHead = 0
    private let openMax: Int

    static let rememberedMax = 1_024

    init(openMax: Int) { self.openMax = openMax }

    var count: Int { open.count }
    var all: [any ServerStream] { open.values.map(\.stream) }

    subscript(id: UInt32) -> (any ServerStream)? { open[id]?.stream }

    /// Throws what the client is told if it may not open a call with this id now.
    func checkOpening(_ id: UInt32) throws(ExecError) {
        guard id % 2 == 1 else {
            throw ExecError(.invalidArgument, "stream id \(id) is even; a client's ids are odd")
        }
        guard open[id] == nil else {
            throw ExecError(.invalidArgument, "stream id \(id) is in use")
        }
        guard open.count < openMax else {
            throw ExecError(
                .resourceExhausted,
                "this connection has \(openMax) open calls, the most it may"
            )
        }
    }

    /// The call counts in `account` until it is over.
    mutating func insert(_ stream: any ServerStream, countedIn account: IdentityAccount) {
        open[stream.id] = Entry(stream: stream, account: account)
    }

    /// The call is over. Returns it; nil: it was not open.
    mutating func remove(_ id: UInt32) -> (any ServerStream)? {
        guard let entry = open.removeValue(forKey: id) else { return nil }
        entry.account.removeStream()
        remember(id)
        return entry.stream
    }

    /// All open calls are over.
    mutating func removeAll() -> [any ServerStream] {
        defer { open = [:] }
        for entry in open.values { entry.account.removeStream() }
        return open.values.map(\.stream)
    }

    /// A call that was answered without ever being open.
    mutating func remember(_ id: UInt32) {
        guard over.insert(id).inserted else { return }
        if overInOrder.count < Self.rememberedMax {
            overInOrder.append(id)
            return
        }
        over.remove(overInOrder[overHead])
        overInOrder[overHead] = id
        overHead = (overHead + 1) % Self.rememberedMax
    }

    /// Where a Data frame goes.
    enum Destination {
        case stream(any ServerStream)
        /// The call is over: ignore it.
        case nowhere
        case refused(ExecError)
    }

    func destination(of id: UInt32) -> Destination {
        if let stream = open[id]?.stream, stream.takesMessages { return .stream(stream) }
        if open[id] == nil, over.contains(id) { return .nowhere }
        return .refused(ExecError(.invalidArgument, "no such stream: \(id)"))
    }
}
