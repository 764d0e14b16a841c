internal import Kernel
internal import Wire

// What the peer is sent: answers first, then each stream in its turn, pulled when the socket has room.

extension Connection {
    /// Control frames in one piece of a batch.
    private static let controlBytesMax = 16 << 10
    /// What one stream may put into one batch.
    private static let streamBytesMax = 256 << 10
    /// What one connection may write before the others have their turn, in bytes and, where its chunks
    /// are small and cost more than their bytes, in writes.
    private static let turnBytesMax = 256 << 10
    private static let turnWritesMax = 4
    /// After how many streams the clock is read, where none of them may have had anything to say.
    private static let pullsPerClock = 16

    /// Writes until there is nothing to say, the socket is full, or the turn is over.
    func flush() {
        flushAll()
        settleHeldBytes()
    }

    private func flushAll() {
        if closing == .lingering { return }
        if isBlocked {
            // A peer that does not read is heard all the same, until it has asked for enough.
            hearSome()
            return setInterest(writable: true)
        }
        let batch = context.batch(of: loop)
        var (written, writes) = (0, 0)
        do throws(TransportFailure) {
            let isFlushed = try socket.lend { (socket) throws(TransportFailure) in
                try socket.flush()
            }
            if isFlushed == false { return block() }
            while socket != nil {
                fill(batch)
                if batch.isEmpty { return ready.count == 0 ? caughtUp() : goOnLater() }
                let count = batch.byteCount
                let result = try socket.lend { (socket) throws(TransportFailure) in
                    try batch.send(to: socket)
                }
                if case .partly(let rest)? = result {
                    outbox.putBack(rest)
                    return block()
                }
                hearSome()
                written += count
                writes += 1
                // With many connections each has less of a turn.
                if written >= Self.turnBytesMax || writes >= Self.turnWritesMax
                    || writes > 1 && loop.isTurnOver
                {
                    return goOnLater()
                }
            }
        } catch {
            // A peer that is gone may have said something before, which its exec is to have. What is left of
            // it is heard in turns, as ever, and then its end.
            if case .system = error, !unheard.isEmpty, mayHear {
                isBlocked = true
                return scheduleFlush()
            }
            close("writing failed: \(error)")
        }
    }

    /// The others have their turn first.
    private func goOnLater() {
        setInterest(writable: false)
        scheduleFlush()
    }

    private func block() {
        isBlocked = true
        setInterest(writable: true)
        if !unheard.isEmpty, mayHear { scheduleFlush() }
    }

    /// Control frames first, then each ready stream in its turn, one batch at most.
    private func fill(_ batch: OutgoingBatch) {
        takeOutbox(into: batch)
        for pulled in 0..<ready.count {
            if pulled > 0, pulled % Self.pullsPerClock == 0, loop.isTurnOver { return }
            guard outbox.isEmpty, batch.hasRoom, batch.byteCount < Self.streamBytesMax,
                let id = ready.next()
            else { return }
            pull(id, into: batch)
        }
    }

    /// One stream's turn: control frames as long as it has some, or one run of output. Nothing of
    /// it may follow that in the same batch: a chunk that is taken back must not be overtaken.
    private func pull(_ id: UInt32, into batch: OutgoingBatch) {
        while let stream = streams[id] {
            let turn = stream.pull(into: batch, bytesMax: Self.streamBytesMax)
            takeOutbox(into: batch)
            switch turn {
            case .idle: return
            case .control where outbox.isEmpty: continue
            case .control, .output, .nothingYet: return requeue(id)
            }
        }
    }

    /// The stream has its turn after the others.
    func requeue(_ id: UInt32) {
        if streams[id] != nil { ready.add(id) }
    }

    private func takeOutbox(into batch: OutgoingBatch) {
        let count = min(outbox.count, Self.controlBytesMax)
        guard count > 0, batch.hasRoom(for: count) else { return }
        outbox.take(count) { batch.appendControl($0) }
    }

    private func caughtUp() {
        switch closing {
        case .afterViewers where streams.all.contains { $0.isToBeSeenOut }: break
        case .afterWriting where !held.isEmpty: break
        case .afterViewers, .afterWriting: return closeOnceDelivered()
        case .no, .lingering: break
        }
        hearSome()
        setInterest(writable: false)
    }

    private func setInterest(writable: Bool) {
        var wanted: Interest = writable ? [.writable] : []
        // A peer that does not read its answers is not listened to, nor one that guesses tokens.
        if mayHear, unheard.isEmpty, held.isEmpty { wanted.insert(.readable) }
        if !held.isEmpty { wanted.insert(.peerClosed) }
        watch(for: wanted)
        if mayRead, hasUnread { scheduleFlush() }
    }

    /// Changes what the socket is watched for.
    func watch(for wanted: Interest) {
        guard wanted != interest, let registration else { return }
        interest = wanted
        loop.update(registration, to: wanted)
    }
}
