package import ExecModel
package import Kernel
internal import Synchronization

/// One view of an instance: a cursor into its log. It is pulled by whoever has room for more; until
/// then it costs the exec nothing.
///
/// Belongs to one thread at a time (its connection's loop). `detach` must be called once.
package final class ExecViewer {
    package let instance: ExecInstance
    package private(set) var cursor: ViewerCursor
    private let waker: any Wakeable
    /// Held while the viewer reads from the file, so that the log can't be closed or deleted below it.
    private var files: LogFiles?
    private var toldEnded = false
    private var ticket = ParkedWakers.Ticket()
    /// The resizes it has been told; see `InstanceState.resizes`.
    private var resizesTold: Int
    private var isDetached = false

    init(
        instance: ExecInstance,
        cursor: ViewerCursor,
        resizesTold: Int,
        files: LogFiles?,
        waker: any Wakeable,
    ) {
        self.instance = instance
        self.cursor = cursor
        self.resizesTold = resizesTold
        self.files = files
        self.waker = waker
    }

    deinit { assert(isDetached, "a viewer must be detached") }

    /// What one pull yields.
    package enum Pull {
        /// The batch holds chunks.
        case chunks
        case gap(Gap)
        /// The exec has ended and drains.
        case ended(Ended)
        /// The exec's state is another than when the viewer was last told.
        case state(ExecState, unixNS: Int64)
        /// The exec's terminal has another size than when the viewer was last told.
        case resized(WindowSize)
        /// The viewer's policy is to be cut off now.
        case tooSlow
        /// `addCredit` first.
        case windowClosed
        /// Nothing now; the waker is called once there is more.
        case caughtUp
        /// Everything has been given, and the exit with it; nil: the viewer did not want to wait
        /// for that.
        case end(Exit?)
        /// The log can't be read.
        case unreadable(Errno)
    }

    /// Gives the viewer what comes next, `bytesMax` at most (one chunk always fits). Chunks are put
    /// into the empty `batch`.
    package func pull(into batch: ViewerBatch, bytesMax: Int) -> Pull {
        assert(batch.chunks.isEmpty)
        while true {
            let decision = instance.state.withLock { state in
                decide(&state, batch, bytesMax)
            }
            guard case .file(let last) = decision else {
                if case .chunks = decision.pull { files = nil }
                return decision.pull
            }
            do throws(Errno) {
                let run = try readLog(through: last, into: batch, bytesMax: bytesMax)
                // What was read may have become a hole on the way: then the next round is a gap.
                if instance.hasTrimmed(cursor.next) { continue }
                take(run, batch)
                return .chunks
            } catch {
                guard instance.hasTrimmed(cursor.next) else { return .unreadable(error) }
            }
        }
    }

    /// Takes back the newest chunk that the last pull gave: it could not be sent.
    package func rewind(_ chunk: Chunk) { cursor.rewind(chunk) }

    /// The viewer takes `bytes` and so many messages more.
    package func addCredit(_ bytes: UInt64, messages: UInt64 = 0) {
        cursor.addCredit(bytes, messages: messages)
    }

    /// Whether a message may be sent that does not come from `pull`.
    package var mayTell: Bool { cursor.mayTell }

    /// Such a message has been sent.
    package func told() { cursor.told() }

    /// Whether this chunk was logged before the viewer came.
    package func isReplay(_ chunk: Chunk) -> Bool { chunk.sequence <= cursor.replayThrough }

    /// The viewer goes. Tells the exec's watchers, and gives back what was kept for it.
    package func detach() {
        precondition(!isDetached, "a viewer is detached once")
        isDetached = true
        files = nil
        instance.viewerLeft(&ticket)
    }

    private enum Decision {
        case file(through: UInt64)
        case pull(Pull)

        var pull: Pull {
            if case .pull(let pull) = self { return pull }
            return .chunks
        }
    }

    private func decide(
        _ state: inout InstanceState,
        _ batch: ViewerBatch,
        _ bytesMax: Int,
    ) -> Decision {
        let mayTell = cursor.mayTell && state.info.exit == nil
        if mayTell, state.changes != cursor.changesTold {
            cursor.changesTold = state.changes
            cursor.told()
            return .pull(.state(state.info.state, unixNS: state.changedUnixNS))
        }
        if mayTell, state.resizes != resizesTold, let size = state.info.window {
            resizesTold = state.resizes
            cursor.told()
            return .pull(.resized(size))
        }
        switch cursor.step(over: state.extent) {
        case .ring:
            takeFromRing(&state, batch, bytesMax)
            return .pull(.chunks)
        case .file(let last):
            return .file(through: last)
        case .gap(let gap):
            cursor.skip(gap)
            return .pull(.gap(gap))
        case .tooSlow:
            return .pull(.tooSlow)
        case .windowClosed:
            return .pull(.windowClosed)
        case .end:
            // A viewer that ends earlier has no last byte that the exit could follow.
            return .pull(.end(cursor.next > state.lastSequence ? state.info.exit : nil))
        case .caughtUp:
            if let ended = state.ended, !toldEnded, cursor.mayTell {
                toldEnded = true
                cursor.told()
                return .pull(.ended(ended))
            }
            state.parked.park(waker, &ticket)
            return .pull(.caughtUp)
        }
    }

    private func takeFromRing(
        _ state: inout InstanceState,
        _ batch: ViewerBatch,
        _ bytesMax: Int,
    ) {
        var bytes = 0
        while batch.chunks.count < ViewerBatch.chunksMax,
            let chunk = state.ring.chunk(cursor.next),
            chunk.sequence <= cursor.stopAfter ?? .max
        {
            guard batch.chunks.isEmpty || bytes + chunk.count <= bytesMax else { break }
            if cursor.isWindowClosed { break }
            bytes += chunk.count
            take(chunk, batch)
        }
    }

    private func take(_ chunk: Chunk, _ batch: ViewerBatch) {
        cursor.advance(
            sequence: chunk.sequence,
            stream: chunk.stream,
            offset: chunk.offset,
            count: chunk.count,
        )
        batch.chunks.append(chunk)
    }

    /// Three reads at most, whatever the number of chunks: the records, and what they tell of each
    /// stream, which lies side by side in that stream's file.
    private func readLog(
        through last: UInt64,
        into batch: ViewerBatch,
        bytesMax: Int,
    ) throws(Errno) -> LogRun {
        let files = try openFiles()
        let slab = batch.readSlab()
        let wanted = min(
            Int(clamping: last - cursor.next + 1),
            ViewerBatch.chunksMax,
            cursor.messages.map { Int($0) } ?? .max,
        )
        try readRecords(of: files, max: wanted, using: slab, into: &batch.records)
        let budget = min(bytesMax, ViewerBatch.fileBytesMax, cursor.window.map { Int($0) } ?? .max)
        let run = LogRun(batch.records, in: slab, bytesMax: budget)
        for stream in ExecStream.allCases where run.counts[stream] > 0 {
            let start = try files.withFile(of: stream) { (file) throws(Errno) in
                try slab.append(
                    from: file,
                    at: run.first[stream],
                    count: Int(run.counts[stream])
                )
            }
            batch.starts[stream] = UInt64(start)
        }
        return run
    }

    /// The records that come next, as far as they are what was written. Throws `.inputOutput` where the
    /// first of them is not.
    private func readRecords(
        of files: LogFiles,
        max: Int,
        using slab: Slab,
        into records: inout [IndexRecord],
    ) throws(Errno) {
        do throws(Errno) {
            try files.readRecords(from: cursor.next, max: max, using: slab, into: &records)
        } catch .inputOutput where !records.isEmpty {
            // The next pull comes to the one that is not.
        }
        let (through, limits) = instance.logged
        var chain = RecordChain(from: cursor.offsets, upTo: limits)
        let count = records.prefix { chain.take($0) }.count
        records.removeLast(records.count - count)
        // All that was logged is known by its end as well.
        let isAtEnd = cursor.next + UInt64(count) == through + 1
        guard count > 0, !isAtEnd || chain.offsets == limits else { throw .inputOutput }
    }

    private func take(_ run: LogRun, _ batch: ViewerBatch) {
        for record in batch.records.prefix(run.recordCount) {
            let start = batch.starts[record.stream] + (record.offset - run.first[record.stream])
            take(
                Chunk(
                    sequence: cursor.next,
                    offset: record.offset,
                    unixNS: record.unixNS,
                    stream: record.stream,
                    slab: run.slab,
                    start: Int(start),
                    count: Int(record.length),
                ),
                batch
            )
        }
    }

    private func openFiles() throws(Errno) -> LogFiles {
        if let files { return files }
        let opened = try instance.log.files()
        files = opened
        return opened
    }
}

/// How many records fit a batch, and which bytes of each stream they cover.
private struct LogRun {
    let slab: Slab
    var recordCount = 0
    var first = StreamOffsets()
    var counts = StreamOffsets()

    init(_ records: [IndexRecord], in slab: Slab, bytesMax: Int) {
        self.slab = slab
        var bytes = 0
        for record in records {
            let length = Int(record.length)
            guard recordCount == 0 || bytes + length <= bytesMax else { break }
            if counts[record.stream] == 0 { first[record.stream] = record.offset }
            counts[record.stream] += UInt64(length)
            bytes += length
            recordCount += 1
        }
    }
}
