internal import ExecCore
internal import Kernel
internal import Wire

// What the peer sends: bytes to frames, frames to calls. Bounded: while the peer does not take its
// answers, it is not heard.

extension Connection {
    private static let outboxBytesMax = 1 << 20
    /// For how long calls are heard before the others have their turn, by the clock: some answers are
    /// short, and not short work.
    private static let hearingTime = Duration.milliseconds(2)
    /// After how many data frames the clock is read: most are little work.
    private static let dataPerClock = 16
    /// What this peer may have asked of other loops that is not answered yet.
    static let askedMax = 64

    func read() {
        if closing == .lingering { return discard() }
        // What has come before has its turn first.
        guard unheard.isEmpty else { return flush() }
        do throws(TransportFailure) {
            let scratch = loop.scratch
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

    /// Cuts frames off, as long as the peer takes the answers, and keeps the rest for then.
    private func hear(_ bytes: RawSpan) {
        // What publishers have sent in one read is written at once.
        defer { writeOut() }
        do throws(NotFrames) {
            hearingEnd = min(SystemClocks().now + Self.hearingTime, loop.turnEnd)
            isHeardOut = false
            let count = try decoder.decode(
                bytes,
                payloadBytesMax: { admission.payloadBytesMax },
                while: { mayHear && !isHeardOut },
            ) { header, payload in receive(header, payload) }
            guard count < bytes.byteCount else { return }
            unheard = bytes.copy(count..<bytes.byteCount)
            if mayHear { scheduleFlush() }
        } catch {
            context.log.warning(
                "not a ttrpc client",
                ["peer": peer, "looks_like": error.looksLike]
            )
            close("it is not ttrpc")
        }
    }

    private func writeOut() {
        for publisher in unwritten { publisher.hasHeardAll() }
        unwritten.removeAll(keepingCapacity: true)
    }

    /// Whether the peer takes the answers that it has asked for, and the other loops keep up with it.
    var mayHear: Bool { outbox.count < Self.outboxBytesMax && asked < Self.askedMax }

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
        guard !unheard.isEmpty, mayHear else { return }
        var bytes: [UInt8] = []
        swap(&bytes, &unheard)
        hear(bytes.span.bytes)
    }

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
            if SystemClocks().now >= hearingEnd { isHeardOut = true }
        case .data:
            receiveData(header, payload)
            dataHeard += 1
            guard dataHeard >= Self.dataPerClock else { return }
            dataHeard = 0
            if SystemClocks().now >= hearingEnd { isHeardOut = true }
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
        Calls(connection: self).open(request, id: id)
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
