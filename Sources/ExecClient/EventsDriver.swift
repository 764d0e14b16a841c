internal import ExecModel
internal import Kernel
internal import Synchronization
internal import Wire

/// One subscription's side of the loop, across all connections it takes. The loop's thread only.
///
/// Holds at most `eventsMax` events for its consumer, and `bytesMax` of them but for one event that is
/// larger; those that come on top are counted and dropped.
final class EventsDriver: CallHandler {
    private let core: ClientCore
    private let containerID: String
    private var ledger: EventLedger
    private let mailbox: Mailbox<HeldEvent>
    private let held: HeldBytes
    private var call: Call?
    private var wasSent = false
    private var brokenSince: Instant?
    private var backoff: Backoff
    private var dropped: UInt64 = 0

    private static let eventsMax = 1000
    private static let bytesMax = 16 << 20

    /// A subscription that has not begun.
    init(
        core: ClientCore,
        request: ContainerLifecycleRequest,
        mailbox: Mailbox<HeldEvent>,
        held: HeldBytes,
    ) {
        self.core = core
        containerID = request.containerID
        ledger = EventLedger(afterSequence: request.afterSequence)
        self.mailbox = mailbox
        self.held = held
        backoff = Backoff(limit: core.resumeLimit)
    }

    /// Subscribes, as soon as there is a connection; after a break not before `delay`.
    func open(after delay: Duration? = nil) {
        let request = ContainerLifecycleRequest(
            containerID: containerID,
            afterSequence: ledger.subscribing(),
        )
        let call = Call(.containerLifecycle, request: request.encode(), handler: self)
        self.call = call
        core.start(call, after: delay)
    }

    /// Nobody wants events any more.
    func abandon() {
        call?.abandon()
        end(.failure(.callerCancelled))
    }

    func began(_ call: Call) {
        wasSent = true
        brokenSince = nil
    }

    func message(_ payload: RawSpan) {
        do throws(ExecError) {
            let event = try Self.decode(payload)
            brokenSince = nil
            backoff = Backoff(limit: core.resumeLimit)
            let bytes = HeldEvent.bytes(of: event, payload: payload.byteCount)
            if let news = try ledger.take(event) { deliver(news, bytes) }
        } catch {
            call?.abandon()
            end(.failure(error))
        }
    }

    func ended() { end(.success(())) }

    func response(_ payload: [UInt8]) { end(.success(())) }

    func failed(_ error: ExecError) { end(.failure(ledger.refused(error))) }

    func lost(_ error: ExecError) {
        call = nil
        let now = core.loop.now
        let since = brokenSince ?? now
        brokenSince = since
        guard wasSent, error.code == .unavailable,
            let delay = backoff.next(elapsed: now - since)
        else { return end(.failure(error)) }
        open(after: delay)
    }

    private static func decode(_ payload: RawSpan) throws(ExecError) -> LifecycleEvent {
        do throws(DecodeFailure) {
            return try LifecycleEvent.decode(payload)
        } catch {
            throw ExecError(.internalError, error.message, cause: error)
        }
    }

    private func deliver(_ event: LifecycleEvent, _ bytes: Int) {
        let waiting = mailbox.count
        let fits = waiting == 0 || held.count + bytes <= Self.bytesMax
        guard waiting < Self.eventsMax, fits else {
            dropped = dropped.saturatingAdd(1).saturatingAdd(event.missed)
            return
        }
        var event = event
        event.missed = event.missed.saturatingAdd(dropped)
        dropped = 0
        held.add(bytes)
        mailbox.put(HeldEvent(event: event, bytes: bytes))
    }

    private func end(_ result: Result<Void, ExecError>) {
        call = nil
        mailbox.finish(result)
    }
}

/// An event that waits for its consumer, and about what it takes.
struct HeldEvent: Sendable {
    let event: LifecycleEvent
    let bytes: Int

    /// The payload, and what each of its many small parts takes beside its bytes.
    static func bytes(of event: LifecycleEvent, payload: Int) -> Int {
        payload + partBytes * (event.info.argv.count + event.info.labels.count)
    }

    private static let partBytes = 32
}

/// What the events that wait take together. The driver adds, the consumer takes away.
final class HeldBytes: Sendable {
    private let bytes = Atomic(0)

    var count: Int { bytes.load(ordering: .relaxed) }

    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }

    func remove(_ count: Int) { bytes.subtract(count, ordering: .relaxed) }
}
