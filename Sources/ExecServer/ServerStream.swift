internal import ExecModel

/// One open call on a connection, as the connection sees it. Used on the connection's loop only.
protocol ServerStream: AnyObject {
    var id: UInt32 { get }

    /// One message of the client's. The span is valid during the call only.
    func receive(_ payload: RawSpan)

    /// The client will send no more. It goes on to listen.
    func halfClosed()

    /// Whether a Data frame for this call is in order.
    var takesMessages: Bool { get }

    /// Whether a server that ends waits for the end of this call: a viewer is to get its exit.
    var isToBeSeenOut: Bool { get }

    /// Something can be sent, and there is room: output goes into the batch, all else to the
    /// connection. Called again while it says `.more`; after `.output` not before that is written.
    func pull(into batch: OutgoingBatch, bytesMax: Int) -> StreamTurn

    /// The tokens have changed: what the caller has lost the right to ends.
    func reviewRights()

    /// The call is over, whoever ended it: let go of everything.
    func ended()
}

/// What one turn of a stream yielded.
enum StreamTurn {
    /// Output frames in the batch; there may be more.
    case output
    /// A control frame; there may be more.
    case control
    /// Nothing so far; there may be something, but the others have their turn first.
    case nothingYet
    /// Nothing until it is woken.
    case idle
}

extension ServerStream {
    var takesMessages: Bool { true }
    var isToBeSeenOut: Bool { false }
    func halfClosed() {}
    func pull(into batch: OutgoingBatch, bytesMax: Int) -> StreamTurn { .idle }
    func reviewRights() {}
    func ended() {}
}
