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
    /// The process is gone, and its pipes are not at their end yet.
    var ended: Ended?
    /// How often `info.state` has changed since the exec ran; viewers are told the newest.
    var changes = 0
    var changedUnixNS: Int64 = 0
    /// How often the terminal was resized; viewers are told the newest size.
    var resizes = 0
    var isRemoved = false
    /// Viewers that have everything there is, until there is more; each once.
    private(set) var parked: [any Wakeable] = []
    /// How often all of them were taken from there.
    private var parkings: UInt64 = 1
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

    /// Has a viewer woken once there is more. `ticket` is the viewer's own, 0 at first: it tells whether
    /// it is here already.
    mutating func park(_ waker: any Wakeable, _ ticket: inout UInt64) {
        guard ticket != parkings else { return }
        ticket = parkings
        parked.append(waker)
    }

    /// The viewer has gone.
    mutating func unpark(_ waker: any Wakeable) { parked.removeAll { $0 === waker } }

    mutating func takeParked() -> [any Wakeable] {
        var taken: [any Wakeable] = []
        takeParked(into: &taken)
        return taken
    }

    /// `taken` must be empty; its memory is used for those who park from now on.
    mutating func takeParked(into taken: inout [any Wakeable]) {
        parkings += 1
        swap(&parked, &taken)
    }
}
