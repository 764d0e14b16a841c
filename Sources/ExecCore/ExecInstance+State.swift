internal import ExecModel
internal import Kernel

/// All that viewers and callers ask of an instance, under its one lock. A value; whoever changes it
/// acts on the result after unlocking.
struct InstanceState {
    var info: ExecInfo
    var ring: ChunkRing
    var lastSequence: UInt64 = 0
    var offsets = StreamOffsets()
    var loggedThrough: UInt64 = 0
    /// How far the streams had come with that chunk.
    var loggedOffsets = StreamOffsets()
    /// What of the log is gone again.
    var trim = LogTrim()
    var waypoints = LogWaypoints()
    /// The process is gone, and its pipes are not at their end yet.
    var ended: Ended?
    /// How often `info.state` has changed since the exec ran; viewers are told the newest.
    var changes = 0
    var changedUnixNS: Int64 = 0
    /// How often the terminal was resized; viewers are told the newest size.
    var resizes = 0
    var isRemoved = false
    /// Viewers that have everything there is, until there is more; each once.
    var parked = ParkedWakers()
    var exitWaiters: [UInt64: @Sendable (Exit) -> Void] = [:]
    var nextWaiter: UInt64 = 0

    init(info: ExecInfo, ring: ChunkRing) {
        self.info = info
        self.ring = ring
    }

    var extent: LogExtent {
        LogExtent(
            lastSequence: lastSequence,
            ringFirst: ring.firstSequence,
            ringBase: ring.isEmpty ? offsets : ring.base,
            loggedThrough: loggedThrough,
            trim: trim,
            isComplete: info.exit != nil,
        )
    }

    /// Whether there are chunks that neither the log nor the ring has.
    var hasHole: Bool {
        let heldFrom = ring.firstSequence ?? lastSequence + 1
        return heldFrom > loggedThrough + 1
    }

    /// The info with the figures of this moment.
    var currentInfo: ExecInfo {
        var info = info
        info.stdoutBytes = offsets.stdout
        info.stderrBytes = offsets.stderr
        return info
    }

    mutating func enter(_ state: ExecState, unixNS: Int64) {
        assert(info.state != .exited, "an exit is the end")
        info.state = state
        changes += 1
        changedUnixNS = unixNS
    }
}
