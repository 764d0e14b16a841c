package import ExecModel

/// A viewer's place in an exec's log, and how it wants to be treated. A value: it holds no
/// descriptor and no bytes, and what it is to be given next is decided here, over an extent that
/// is handed in.
package struct ViewerCursor: Sendable {
    /// The next sequence that this viewer is to be given.
    package private(set) var next: UInt64
    /// How far it has come in each stream: what a Gap's figures are counted from.
    package private(set) var offsets: StreamOffsets
    /// Chunks up to this one were logged before the viewer came.
    package let replayThrough: UInt64
    /// The last chunk it wants; nil: all, and the exit.
    package let stopAfter: UInt64?
    package let slow: SlowPolicy
    /// Output bytes that may still be sent; nil: no limit. The chunk that crosses it is sent whole.
    package private(set) var window: Int64?
    /// Messages that may still be sent, of any kind but the first and the exit; nil: no limit.
    package private(set) var messages: Int64?
    /// The state changes it has been told; see `InstanceState.changes`.
    var changesTold: Int

    init(
        next: UInt64,
        offsets: StreamOffsets,
        replayThrough: UInt64,
        view: View,
        changesTold: Int,
    ) {
        self.next = next
        self.offsets = offsets
        self.replayThrough = replayThrough
        stopAfter = view.noFollow ? replayThrough : nil
        slow = view.slow == .unspecified ? .catchUp : view.slow
        window = view.windowBytes == 0 ? nil : Self.sum(0, view.windowBytes)
        messages = view.windowChunks == 0 ? nil : Self.sum(0, view.windowChunks)
        self.changesTold = changesTold
    }

    /// Whether a message that is no output may be sent.
    package var mayTell: Bool { messages.map { $0 > 0 } ?? true }

    /// Whether nothing may be sent but the exit.
    var isWindowClosed: Bool { !mayTell || window.map { $0 <= 0 } ?? false }

    /// What the viewer gets next.
    enum Step: Equatable {
        /// Chunks out of memory, from `next` on.
        case ring
        /// Chunks out of the log file, from `next` to this one.
        case file(through: UInt64)
        /// It will not get what is up to this one.
        case gap(Gap)
        /// It fell behind and asked to be cut off then.
        case tooSlow
        /// It has used up its credit.
        case windowClosed
        /// It has everything there is; more may come.
        case caughtUp
        /// It has everything that it will ever get.
        case end
    }

    func step(over extent: LogExtent) -> Step {
        if let stopAfter, next > stopAfter { return .end }
        if next > extent.lastSequence { return extent.isComplete ? .end : .caughtUp }
        if isWindowClosed { return .windowClosed }
        if let first = extent.ringFirst, next >= first { return .ring }
        let isLive = next > replayThrough && extent.ringFirst != nil
        switch slow {
        case .drop where isLive: return .gap(gap(to: extent))
        case .disconnect where isLive: return .tooSlow
        default: break
        }
        if next <= extent.trim.through { return .gap(gap(overTrimmed: extent)) }
        guard next <= extent.loggedThrough else { return .gap(gap(to: extent)) }
        let ringEdge = extent.ringFirst.map { $0 - 1 } ?? extent.lastSequence
        return .file(through: min(ringEdge, extent.loggedThrough, stopAfter ?? .max))
    }

    /// The viewer has been given a chunk.
    mutating func advance(
        sequence: UInt64,
        stream: ExecStream,
        offset: UInt64,
        count: Int,
    ) {
        assert(sequence == next, "a viewer gets every chunk once, in order")
        next = sequence + 1
        offsets[stream] = offset + UInt64(count)
        if let window { self.window = window - Int64(count) }
        told()
    }

    /// The viewer has been sent a message.
    package mutating func told() {
        if let messages { self.messages = messages - 1 }
    }

    /// The viewer has been told of a gap.
    mutating func skip(_ gap: Gap) {
        assert(gap.firstSequence == next)
        next = gap.lastSequence + 1
        offsets.stdout &+= gap.stdoutBytes
        offsets.stderr &+= gap.stderrBytes
        told()
    }

    /// The viewer was not given this chunk after all: its socket would not take it. Called for the
    /// newest first.
    package mutating func rewind(_ chunk: Chunk) {
        assert(chunk.sequence == next - 1)
        next = chunk.sequence
        offsets[chunk.stream] = chunk.offset
        if let window { self.window = window + Int64(chunk.count) }
        if let messages { self.messages = messages + 1 }
    }

    /// The viewer takes `bytes` and so many messages more.
    package mutating func addCredit(_ bytes: UInt64, messages: UInt64 = 0) {
        window = window.map { Self.sum($0, bytes) }
        self.messages = self.messages.map { Self.sum($0, messages) }
    }

    /// At most half of the largest number: what `rewind` adds to it always fits.
    private static func sum(_ count: Int64, _ more: UInt64) -> Int64 {
        let most = Int64.max / 2
        return more > most ? most : min(most, count + Int64(more))
    }

    /// All that was trimmed; up to the ring where that begins before the end of it.
    private func gap(overTrimmed extent: LogExtent) -> Gap {
        let trim = extent.trim
        if let first = extent.ringFirst, first <= trim.through { return gap(to: extent) }
        return Gap(
            firstSequence: next,
            lastSequence: trim.through,
            stdoutBytes: trim.offsets.stdout.less(offsets.stdout),
            stderrBytes: trim.offsets.stderr.less(offsets.stderr),
        )
    }

    /// All up to the ring, or, where the ring is empty, all there is.
    private func gap(to extent: LogExtent) -> Gap {
        Gap(
            firstSequence: next,
            lastSequence: extent.ringFirst.map { $0 - 1 } ?? extent.lastSequence,
            stdoutBytes: extent.ringBase.stdout.less(offsets.stdout),
            stderrBytes: extent.ringBase.stderr.less(offsets.stderr),
        )
    }
}

extension UInt64 {
    /// The difference, or 0: where a viewer is may have been read from a disk that tells wrong.
    fileprivate func less(_ other: UInt64) -> UInt64 { self - Swift.min(self, other) }
}

/// What there is of an exec's output, and where it can be had.
struct LogExtent: Equatable {
    /// The newest chunk; 0: none.
    var lastSequence: UInt64
    /// The oldest chunk in memory; nil: none is.
    var ringFirst: UInt64?
    /// How far the streams had come before that one; with none, how far they have come.
    var ringBase: StreamOffsets
    /// The newest chunk that the log file has: all up to it can be read from there, but for `trim`.
    var loggedThrough: UInt64
    /// What of the log file is gone again.
    var trim = LogTrim()
    /// The exit is known: nothing will follow.
    var isComplete: Bool
}
