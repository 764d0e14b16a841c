package import ExecModel
package import Kernel
internal import Synchronization

/// What a viewer learns on arrival.
package struct Attachment {
    package var viewer: ExecViewer
    package var info: ExecInfo
    /// The oldest chunk that can be replayed; 0: none yet.
    package var firstSequence: UInt64
    /// The newest chunk now; 0: none yet.
    package var lastSequence: UInt64
}

extension ExecInstance {
    /// Makes a viewer that starts where `view` says. `waker` is called when it may be pulled again
    /// after it had caught up.
    ///
    /// Throws OUT_OF_RANGE for a resume after a sequence that this exec has not reached, and
    /// NOT_FOUND where the exec has just been forgotten.
    package func attach(
        _ view: View,
        waker: any Wakeable,
    ) throws(ExecError) -> Attachment {
        let arrival = try arrive(view.from)
        do throws(ExecError) {
            let start = try locate(view.from, in: arrival)
            let cursor = ViewerCursor(
                next: start.next,
                offsets: start.offsets,
                replayThrough: arrival.lastSequence,
                view: view,
                changesTold: arrival.changes,
            )
            let viewer = ExecViewer(
                instance: self,
                cursor: cursor,
                resizesTold: arrival.resizes,
                files: arrival.files,
                waker: waker
            )
            report(.attached)
            if arrival.isFirst { report(.started) }
            return Attachment(
                viewer: viewer,
                info: arrival.info,
                firstSequence: arrival.firstSequence,
                lastSequence: arrival.lastSequence,
            )
        } catch {
            var ticket = ParkedWakers.Ticket()
            viewerLeft(&ticket, wasAttached: false)
            throw error
        }
    }

    /// A viewer has gone; `ticket` is its own.
    func viewerLeft(_ ticket: inout ParkedWakers.Ticket, wasAttached: Bool = true) {
        let (isLast, isRemoved) = state.withLock { state in
            state.info.viewers -= 1
            state.parked.leave(&ticket)
            return (state.info.viewers == 0, state.isRemoved)
        }
        if wasAttached { report(.detached) }
        guard isLast else { return }
        releaseIfIdle()
        if isRemoved { log.delete() }
        controller?.lastViewerLeft()
    }

    /// What an arriving viewer finds. It is counted from here on, so what it needs is kept.
    private struct Arrival {
        var info: ExecInfo
        var lastSequence: UInt64
        var offsets: StreamOffsets
        var ring: ChunkRing
        var loggedThrough: UInt64
        var loggedOffsets: StreamOffsets
        var trim: LogTrim
        var changes: Int
        var resizes: Int
        /// Close behind the place that the viewer asks for; nil: there is none.
        var waypoint: LogWaypoints.Waypoint?
        var isFirst: Bool
        var files: LogFiles?

        /// The oldest chunk that can be had: the first that was not trimmed, if the log could be
        /// written.
        var firstSequence: UInt64 {
            let ringFirst = ring.firstSequence
            guard loggedThrough > trim.through else { return ringFirst ?? 0 }
            return min(trim.through + 1, ringFirst ?? .max)
        }
    }

    private func arrive(_ from: View.From) throws(ExecError) -> Arrival {
        let unixNS = clocks.unixNS
        var arrival = try state.withLock { (state) throws(ExecError) -> Arrival in
            // Its log may be gone already.
            guard !state.isRemoved else {
                throw ExecError(.notFound, "there is no exec \(key)")
            }
            state.info.viewers += 1
            // A published exec runs once its first client is connected.
            let isFirst = state.info.published && state.info.state == .pending
            if isFirst {
                state.enter(.running, unixNS: unixNS)
                state.info.startedUnixNS = unixNS
            }
            return Arrival(
                info: state.currentInfo,
                lastSequence: state.lastSequence,
                offsets: state.offsets,
                ring: state.ring,
                loggedThrough: state.loggedThrough,
                loggedOffsets: state.loggedOffsets,
                trim: state.trim,
                changes: state.changes,
                resizes: state.resizes,
                waypoint: state.waypoint(for: from),
                isFirst: isFirst,
            )
        }
        // Of an exec that has exited the ring may be gone, and the files may be deleted at any
        // moment: a viewer that is here now has them open.
        if arrival.info.exit != nil, arrival.loggedThrough > 0 { arrival.files = try? log.files() }
        return arrival
    }

    private func locate(
        _ from: View.From,
        in arrival: Arrival,
    ) throws(ExecError) -> (next: UInt64, offsets: StreamOffsets) {
        switch from {
        case .start:
            return (1, StreamOffsets())
        case .live:
            return (arrival.lastSequence + 1, arrival.offsets)
        case .after(let sequence):
            guard sequence <= arrival.lastSequence else {
                throw ExecError(
                    .outOfRange,
                    "after_sequence is \(sequence), but \(key) has only come to "
                        + "\(arrival.lastSequence)",
                )
            }
            return try walkBack(in: arrival, to: sequence, overHoles: true) { _ in true }
        case .tail(let bytes):
            var left = bytes
            if let waypoint = arrival.waypoint {
                left -= arrival.offsets.total - waypoint.offsets.total
            }
            return try walkBack(in: arrival, to: 0, overHoles: false) { record in
                guard UInt64(record.length) <= left else { return false }
                left -= UInt64(record.length)
                return true
            }
        }
    }

    /// Walks from the waypoint, or from the newest chunk, back to the one after `sequence`, for as long as
    /// `includes` says so, and tells where that is. With a waypoint these are no more records than stand
    /// between two of them. Where it comes to records that are gone, that is the beginning:
    /// the one place before them whose offsets are known. Chunks that neither memory nor the log has
    /// end the walk, or it goes on where the log ends: what lies between will be a gap.
    private func walkBack(
        in arrival: Arrival,
        to sequence: UInt64,
        overHoles: Bool,
        while includes: (IndexRecord) -> Bool,
    ) throws(ExecError) -> (next: UInt64, offsets: StreamOffsets) {
        var floor = arrival.trim.recordsThrough
        var next = (arrival.waypoint?.sequence ?? arrival.lastSequence) + 1
        var offsets = arrival.waypoint?.offsets ?? arrival.offsets
        guard next > floor else { return (1, StreamOffsets()) }
        var block = RecordBlock(log: log, files: arrival.files, floor: floor)
        var oldestRead = UInt64.max
        while next > sequence + 1 {
            let record: IndexRecord
            if let chunk = arrival.ring.chunk(next - 1) {
                record = IndexRecord(chunk)
            } else {
                if next - 1 > arrival.loggedThrough {
                    guard overHoles else { break }
                    (next, offsets) = (arrival.loggedThrough + 1, arrival.loggedOffsets)
                    continue
                }
                guard next - 1 > floor else { return (1, StreamOffsets()) }
                do throws(Errno) {
                    record = try block.record(next - 1)
                    oldestRead = next - 1
                    // It must end where what came after it of its stream began.
                    guard record.end == offsets[record.stream] else { throw .inputOutput }
                } catch {
                    let trimmed = recordsTrimmedThrough
                    if next - 1 <= trimmed { return (1, StreamOffsets()) }
                    guard trimmed > floor else {
                        throw ExecError(unreadable: key, error)
                    }
                    // The oldest of those that were read with it went on the way.
                    floor = trimmed
                    block = RecordBlock(log: log, files: arrival.files, floor: floor)
                    continue
                }
            }
            guard includes(record) else { break }
            offsets[record.stream] = record.offset
            next -= 1
        }
        // What was read may have become a hole on the way.
        if oldestRead <= recordsTrimmedThrough { return (1, StreamOffsets()) }
        return (next, offsets)
    }
}

extension ExecError {
    /// A log can't be read: its bytes are lost, or only not to be had at this moment.
    package init(unreadable key: ExecKey, _ error: Errno) {
        self.init(
            error.isShortage ? .unavailable : .dataLoss,
            "the log of \(key) can't be read: \(error)",
            cause: error,
        )
    }
}

extension ExecInstance {
    /// The newest chunk that the log has, and how far the streams had come with it.
    var logged: (through: UInt64, offsets: StreamOffsets) {
        state.withLock { ($0.loggedThrough, $0.loggedOffsets) }
    }
}

/// A window of records that is read backwards.
private struct RecordBlock {
    private let log: ExecLog
    private var files: LogFiles?
    /// The newest record that is gone.
    private let floor: UInt64
    private var first: UInt64 = 1
    private var records: [IndexRecord] = []
    private let slab = Slab(capacity: recordsMax * IndexRecord.byteCount)

    private static let recordsMax = 512

    init(log: ExecLog, files: LogFiles?, floor: UInt64) {
        self.log = log
        self.floor = floor
        self.files = files
    }

    mutating func record(_ sequence: UInt64) throws(Errno) -> IndexRecord {
        if sequence < first || sequence >= first + UInt64(records.count) {
            let files = if let files { files } else { try log.files() }
            self.files = files
            first = sequence - min(sequence - floor, UInt64(Self.recordsMax)) + 1
            slab.reuse()
            try files.readRecords(
                from: first,
                max: Int(sequence - first) + 1,
                using: slab,
                into: &records
            )
        }
        return records[Int(sequence - first)]
    }
}
