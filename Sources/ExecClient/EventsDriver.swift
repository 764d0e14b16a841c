internal import ExecModel
internal import Kernel
internal import Wire

/// One subscription's side of the loop, across all connections it takes. The loop's thread only.
///
/// Holds at most `eventsMax` events for its consumer; those that come on top are counted and dropped.
final class EventsDriver: CallHandler {
    private let core: ClientCore
    private let containerID: String
    private var ledger: EventLedger
    private let mailbox: Mailbox<LifecycleEvent>
    private var call: Call?
    private var wasSent = false
    private var brokenSince: Instant?
    private var backoff: Backoff
    private var dropped: UInt64 = 0

    private static let eventsMax = 1000

    /// A subscription that has not begun.
    init(core: ClientCore, request: ContainerLifecycleRequest, mailbox: Mailbox<LifecycleEvent>) {
        self.core = core
        containerID = request.containerID
        ledger = EventLedger(afterSequence: request.afterSequence)
        self.mailbox = mailbox
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
            if let news = try ledger.take(event) { deliver(news) }
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

    private func deliver(_ event: LifecycleEvent) {
        guard mailbox.count < Self.eventsMax else {
            dropped = dropped.saturatingAdd(1).saturatingAdd(event.missed)
            return
        }
        var event = event
        event.missed = event.missed.saturatingAdd(dropped)
        dropped = 0
        mailbox.put(event)
    }

    private func end(_ result: Result<Void, ExecError>) {
        call = nil
        mailbox.finish(result)
    }
}
