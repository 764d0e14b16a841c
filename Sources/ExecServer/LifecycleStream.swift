internal import ExecCore
internal import Kernel
internal import Wire

/// One ContainerLifecycle: the events of one container or of all, from a cursor into the journal.
///
/// Belongs to its connection's loop. Nothing is queued for it: a subscriber that is too slow for
/// the journal is told how many events it missed.
final class LifecycleStream: ServerStream, Wakeable, LoopTarget, @unchecked Sendable {
    // Unchecked: what changes is touched on the connection's loop only; `wake` goes there first.
    let id: UInt32
    private unowned let connection: Connection
    private let caller: Caller
    private let loop: EventLoop
    private let journal: EventJournal
    private let container: String
    private var cursor: EventCursor
    private var missed: UInt64 = 0
    private var isOver = false

    /// Throws INVALID_ARGUMENT or OUT_OF_RANGE.
    init(
        _ request: ContainerLifecycleRequest,
        id: UInt32,
        connection: Connection,
        caller: Caller,
    ) throws(ExecError) {
        if !request.containerID.isEmpty {
            try ExecKey.check(request.containerID, field: "container_id")
        }
        self.id = id
        self.connection = connection
        self.caller = caller
        loop = connection.loop
        container = request.containerID
        journal = connection.context.registry.journal
        cursor = try journal.subscribe(after: request.afterSequence)
    }

    /// The one message came with the request.
    func receive(_ payload: RawSpan) {
        connection.fail(id, ExecError(.invalidArgument, "the call has one message only"))
    }

    func pull(into batch: OutgoingBatch, bytesMax: Int) -> StreamTurn {
        guard !isOver else { return .idle }
        switch journal.pull(&cursor, container: container, parking: self) {
        case .event(let event): return tell(event)
        case .more: return .nothingYet
        case .parked: return .idle
        }
    }

    /// Missed counts of events that the peer may not see carry over to the next one that it may.
    private func tell(_ event: LifecycleEvent) -> StreamTurn {
        missed += event.missed
        guard caller.covers(event.info.containerID) else { return .nothingYet }
        var event = event
        event.missed = missed
        missed = 0
        do throws(ExecError) {
            connection.send(try Frames.data(event, streamID: id))
            return .control
        } catch {
            connection.fail(id, error)
            return .idle
        }
    }

    func reviewRights() {
        let target = container.isEmpty ? Target.everything : .container(container)
        do throws(ExecError) {
            try caller.authorize(.containerLifecycle, on: target)
        } catch {
            connection.fail(id, error)
        }
    }

    func ended() {
        isOver = true
        journal.unsubscribe(&cursor)
    }

    func wake() { loop.wake(self) }

    func woken() { if !isOver { connection.markReady(id) } }
}
