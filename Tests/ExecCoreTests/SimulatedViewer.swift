import ExecCore
import ExecModel

/// A viewer of the simulation: takes what it is given and holds it against what was written.
final class SimulatedViewer {
    let viewer: ExecViewer
    let view: View
    let waker: FakeWaker
    var isGone = false
    private(set) var isOver = false
    private(set) var isParked = false
    private var wasCutOff = false
    /// The last sequence that it was given or told it would miss.
    private(set) var lastSeen: UInt64
    private let replayThrough: UInt64
    private var exits = 0
    /// The terminal's size, as it was told.
    private(set) var window: WindowSize?

    init(_ viewer: ExecViewer, window: WindowSize?, view: View, waker: FakeWaker) {
        self.viewer = viewer
        self.window = window
        self.view = view
        self.waker = waker
        credit = view.windowChunks > 0 ? Int(view.windowChunks) : nil
        lastSeen = viewer.cursor.next - 1
        replayThrough = viewer.cursor.replayThrough
    }

    typealias Written = [(stream: ExecStream, bytes: [UInt8])]

    /// Messages that it may be sent still; nil: any number.
    private var credit: Int?

    /// Whether it may be sent a message that is no output.
    var mayBeTold: Bool { credit != 0 }

    func giveCredit(_ bytes: UInt64, messages: UInt64) {
        viewer.addCredit(bytes, messages: messages)
        credit = credit.map { $0 + Int(messages) }
        // Its connection pulls it then.
        if credit != nil { isParked = false }
    }

    private func countMessage() throws {
        guard let left = credit else { return }
        try check(left > 0, "a message was sent without credit")
        credit = left - 1
    }

    func receive(_ chunk: Chunk, of written: Written) throws {
        try check(!isOver, "a chunk came after the end")
        try countMessage()
        try check(chunk.sequence == lastSeen + 1, "\(chunk.sequence) came after \(lastSeen)")
        let expected = written[Int(chunk.sequence) - 1]
        try check(chunk.stream == expected.stream, "\(chunk.sequence) is of the other stream")
        try check(chunk.bytes == expected.bytes, "\(chunk.sequence) has other bytes")
        let before = written[..<(Int(chunk.sequence) - 1)].filter { $0.stream == chunk.stream }
        let offset = before.reduce(0) { $0 + $1.bytes.count }
        try check(chunk.offset == UInt64(offset), "\(chunk.sequence) has another offset")
        try check(
            viewer.isReplay(chunk) == (chunk.sequence <= replayThrough),
            "\(chunk.sequence) has the wrong replay mark"
        )
        lastSeen = chunk.sequence
    }

    /// Who asked to be cut off when it falls behind what is in memory is given nothing more then.
    func checkIsNotTooSlow(for pull: ExecViewer.Pull, _ ringFirst: UInt64?) throws {
        guard view.slow == .disconnect, isBehind(ringFirst) else { return }
        switch pull {
        case .chunks, .gap: try check(false, "it fell behind, and was not cut off")
        default: break
        }
    }

    /// Live output has gone from memory before it was taken.
    private func isBehind(_ ringFirst: UInt64?) -> Bool {
        guard let ringFirst else { return false }
        return lastSeen >= replayThrough && lastSeen + 1 < ringFirst
    }

    /// All but chunks. False: nothing more comes now.
    func receive(
        _ pull: ExecViewer.Pull,
        written: Written,
        window: WindowSize?,
        exit: Exit?,
        ringFirst: UInt64?,
        logEnd: Int?,
        trimmedThrough: UInt64,
    ) throws -> Bool {
        isParked = false
        switch pull {
        case .state, .ended, .gap, .resized: try countMessage()
        default: break
        }
        switch pull {
        case .chunks, .state, .ended:
            return true
        case .resized(let size):
            try check(size == window && size != self.window, "told \(size), which is no news")
            self.window = size
            return true
        case .gap(let gap):
            let isDropped = view.slow == .drop && isBehind(ringFirst)
            try check(
                isDropped && gap.lastSequence + 1 == ringFirst
                    || gap.lastSequence <= trimmedThrough
                    || logEnd.map { gap.firstSequence > UInt64($0) } ?? false,
                "a viewer was skipped that may not be"
            )
            try receive(gap, written)
            return true
        case .tooSlow:
            try check(
                view.slow == .disconnect && isBehind(ringFirst),
                "a viewer was cut off that was not behind, or had not asked for it"
            )
            wasCutOff = true
            isOver = true
        case .windowClosed:
            try check(
                view.windowBytes > 0 || credit == 0,
                "a viewer without a window was stopped by it"
            )
        case .caughtUp:
            try check(lastSeen == UInt64(written.count), "caught up at \(lastSeen)")
            try check(exit == nil, "caught up after the exit")
            try check(
                self.window == window || !mayBeTold,
                "caught up with another size than the newest"
            )
            isParked = true
        case .end(let told):
            isOver = true
            guard told != nil || !view.noFollow else { break }
            exits += 1
            try check(told == exit && told != nil, "the exit is not the exec's")
            try check(lastSeen == UInt64(written.count), "the exit overtook output")
        case .unreadable(let errno):
            try check(false, "the log could not be read: \(errno)")
        }
        return false
    }

    private func receive(_ gap: Gap, _ written: Written) throws {
        try check(gap.firstSequence == lastSeen + 1, "a gap began elsewhere")
        try check(gap.lastSequence >= gap.firstSequence, "a gap of nothing")
        var missed = StreamOffsets()
        for (stream, bytes) in written[Int(lastSeen)..<Int(gap.lastSequence)] {
            missed[stream] += UInt64(bytes.count)
        }
        try check(
            missed == StreamOffsets(stdout: gap.stdoutBytes, stderr: gap.stderrBytes),
            "a gap's figures are not those of what was missed"
        )
        lastSeen = gap.lastSequence
    }

    func checkEnd(written: Written, exit: Exit?) throws {
        guard !wasCutOff else { return }
        if view.noFollow {
            try check(lastSeen >= replayThrough, "it ended before what was logged when it came")
        } else {
            try check(exits == 1, "\(exits) exits came")
        }
    }

    private func check(_ isTrue: Bool, _ message: @autoclosure () -> String) throws {
        guard !isTrue else { return }
        throw Simulation.Violation(description: "viewer \(view): \(message())")
    }
}
