internal import ExecCore
internal import Kernel
internal import Wire

// What the peer sends: bytes to frames, frames to calls. Bounded: while the peer does not take its
// answers, it is not heard.

extension Connection {
    private static let outboxBytesMax = 1 << 20
    /// What is read at once, and what waits to be written, of a peer that is not authenticated.
    private static let unauthenticatedBytesMax = 16 << 10
    /// After how many data frames the clock is read: most are little work.
    private static let dataPerClock = 16
    /// What this peer may have asked of other loops that is not answered yet.
    static let askedMax = 64

    func read() {
        if closing == .lingering { return discard() }
        // What has come before has its turn first.
        guard unheard.isEmpty else { return flush() }
        do throws(TransportFailure) {
            let room = caller == nil ? Self.unauthenticatedBytesMax : loop.scratch.count
            let scratch = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<room])
            guard
                let count = try socket.lend({ (socket) throws(TransportFailure) in
                    try socket.read(into: scratch)
                }) ?? nil
            else { return flush() }
            guard count > 0 else { return close("the peer closed it") }
            let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            hear(RawSpan(_unsafeBytes: bytes))
        } catch {
            close("reading failed: \(error)")
        }
        flush()
    }

    /// Nothing keeps the peer from being heard.
    var mayRead: Bool { interest.contains(.readable) }

    /// There is something to read that no event will tell of: it waits inside TLS.
    var hasUnread: Bool { socket.lend { $0.hasUnread } ?? false }

    /// Hears what has just been read, or puts it off until the peer's calls have their turn.
    private func hear(_ bytes: RawSpan) {
        if let time = callTime { return hear(bytes, for: time) }
        unheard = bytes.copy(0..<bytes.byteCount)
    }

    /// For how long calls may be heard now, by the clock: some answers are short, and not short work.
    /// Nil: the connection has been put in line, see `CallShare`.
    private var callTime: Duration? {
        guard let share, !isHeardLast else { return CallShare.turnTime }
        return share.take(self)
    }

    /// Hears what has arrived of a peer that is about to lose its place: its token may be there.
    func hearLast() {
        isHeardLast = true
        defer { isHeardLast = false }
        if unheard.isEmpty { read() } else if mayHear { hearUnheard(for: CallShare.turnTime) }
    }

    /// Cuts frames off, as long as the peer takes the answers, and keeps the rest for then.
    private func hear(_ bytes: RawSpan, for time: Duration) {
        // A token changes it: what has come up to there counts for the peers without one.
        let share = share
        let begin = SystemClocks().now
        hearingEnd = min(begin + time, loop.turnEnd)
        (hearingClock, isHeardOut) = (begin, false)
        defer {
            // What publishers have sent in one read is written at once.
            writeOut()
            share?.spend(hearingClock - begin)
        }
        do throws(NotFrames) {
            let count = try decoder.decode(
                bytes,
                payloadBytesMax: { admission.payloadBytesMax },
                while: { mayHear && !isHeardOut },
            ) { header, payload in receive(header, payload) }
            guard count < bytes.byteCount else { return }
            unheard = bytes.copy(count..<bytes.byteCount)
            guard mayHear else { return }
            if let share = self.share { share.wait(self) } else { scheduleFlush() }
        } catch {
            complain {
                context.log.warning(
                    "not a ttrpc client",
                    ["peer": peer, "looks_like": error.looksLike]
                )
            }
            close("it is not ttrpc")
        }
    }

    private func writeOut() {
        for publisher in unwritten { publisher.hasHeardAll() }
        unwritten.removeAll(keepingCapacity: true)
    }

    /// Looks at the clock: whether the calls that were heard have taken their time.
    private func checkClock() {
        dataHeard = 0
        hearingClock = SystemClocks().now
        if hearingClock >= hearingEnd { isHeardOut = true }
    }

    /// Whether the peer takes the answers that it has asked for, and the other loops keep up with it.
    var mayHear: Bool {
        outbox.count < (caller == nil ? Self.unauthenticatedBytesMax : Self.outboxBytesMax)
            && asked < Self.askedMax
    }

    /// Asks something of another loop by `body`, which has what it is given called once, from any thread,
    /// when that is done. Where it throws nothing was asked.
    func ask(
        _ weight: Int = 1,
        _ body: (@escaping @Sendable () -> Void) throws(ExecError) -> Void,
    ) throws(ExecError) {
        asked += weight
        do throws(ExecError) {
            try body { [self] in loop.execute { [self] in answered(weight) } }
        } catch {
            answered(weight)
            throw error
        }
    }

    private func answered(_ weight: Int) {
        let wasFull = !mayHear
        asked -= weight
        if wasFull { scheduleFlush() }
    }

    /// The peer has been told all: only its end is waited for.
    private func discard() {
        do throws(TransportFailure) {
            let scratch = loop.scratch
            let count = try socket.lend { (socket) throws(TransportFailure) in
                try socket.read(into: scratch)
            }
            if let count = count ?? nil, count == 0 { close("the peer closed it, too") }
        } catch {
            close("reading failed: \(error)")
        }
    }

    /// Hears what was put off, as far as it may.
    func hearSome() {
        guard !unheard.isEmpty, mayHear, !isInLine, let time = callTime else { return }
        hearUnheard(for: time)
    }

    /// The peer's calls have their turn, and this connection is the first in line.
    func hearInTurn(_ time: Duration) {
        guard socket != nil else { return }
        if isHandshaking { return goOnShakingHands() }
        if !unheard.isEmpty, mayHear { hearUnheard(for: time) }
        flush()
    }

    private func hearUnheard(for time: Duration) {
        var bytes: [UInt8] = []
        swap(&bytes, &unheard)
        hear(bytes.span.bytes, for: time)
    }

    /// Charges the peer's account for what is held here of its messages and answers; where that is more
    /// than it may have, the connection is closed.
    func settleHeldBytes() {
        guard let countedIn else { return }
        let now = decoder.gatheredBytes + unheard.count + outbox.count + answerBytes
        guard now == 0 ? heldBytes > 0 : abs(now - heldBytes) >= Self.heldBytesStep else { return }
        let isWithin = countedIn.hold(bytes: now - heldBytes)
        heldBytes = now
        guard !isWithin, socket != nil else { return }
        complain {
            context.log.warning(
                "too many bytes held",
                ["who": countedIn.name, "peer": peer, "bytes": "\(now)"]
            )
        }
        close("its identity has more bytes held than it may have")
    }

    /// An answer that is being gathered grows by so many bytes. Throws RESOURCE_EXHAUSTED where that is more
    /// than the peer may have; then they do not count.
    func hold(answerBytes count: Int) throws(ExecError) {
        guard let countedIn, count > 0 else { return }
        try countedIn.hold(answerBytes: count)
        heldBytes += count
        answerBytes += count
    }

    /// Such an answer is made, or given up. What it counted is settled once all is written.
    func release(answerBytes count: Int) { answerBytes -= count }

    /// Smaller changes are not charged: a connection that is not busy costs nothing.
    private static let heldBytesStep = 16 << 10

    private func receive(_ header: FrameHeader, _ payload: RawSpan) {
        guard socket != nil, closing != .afterWriting else { return }
        if header.isOversized {
            return fail(
                header.streamID,
                ExecError(
                    .resourceExhausted,
                    "the message has \(header.length) bytes; at most "
                        + "\(admission.payloadBytesMax) are allowed"
                        + (admission.isAdmitted ? "" : " before the client has authenticated"),
                )
            )
        }
        switch header.type {
        case .request:
            receiveRequest(header, payload)
            checkClock()
        case .data:
            receiveData(header, payload)
            dataHeard += 1
            if dataHeard >= Self.dataPerClock { checkClock() }
        default: break
        }
    }

    private func receiveRequest(_ header: FrameHeader, _ payload: RawSpan) {
        let id = header.streamID
        do throws(ExecError) {
            if closing != .no { throw ExecError(.unavailable, "the server is shutting down") }
            try streams.checkOpening(id)
        } catch {
            // The open call of that id, if there is one, goes on: the refusal is no end of it.
            return send(Frames.failure(error, streamID: id))
        }
        let request: CallRequest
        do throws(DecodeFailure) {
            request = try CallRequest.decode(payload)
        } catch {
            return fail(id, error.execError)
        }
        CallOpening(connection: self).open(request, id: id)
        if header.flags.contains(.remoteClosed), !header.flags.contains(.remoteOpen) {
            streams[id]?.halfClosed()
        }
    }

    private func receiveData(_ header: FrameHeader, _ payload: RawSpan) {
        switch streams.destination(of: header.streamID) {
        case .nowhere: break
        // A unary call that is sent more than its message is over, like any failed call.
        case .refused(let error): fail(header.streamID, error)
        case .stream(let stream):
            if !header.flags.contains(.noData) { stream.receive(payload) }
            // The message may have ended the call.
            if header.flags.contains(.remoteClosed) { streams[header.streamID]?.halfClosed() }
        }
    }
}
