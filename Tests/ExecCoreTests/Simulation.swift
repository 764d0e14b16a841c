import ExecModel
import Kernel
import Synchronization

@testable import ExecCore

/// One exec, its writers, its viewers, the sweep and the clock, in an order that a seed decides.
///
/// The model beside it is the list of all that was written. Every viewer must get exactly that, from
/// where it began, but for the gaps it was told; and the exit last, once. A log may have a limit: then
/// its oldest chunks go, and the model says which.
struct Simulation {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    /// What the exec wrote: the chunk with sequence s is `written[s - 1]`.
    private var written: [(stream: ExecStream, bytes: [UInt8])] = []
    private var totals = StreamOffsets()
    private var exit: Exit?
    private var window: WindowSize?
    private var isRemoved = false
    private var viewers: [SimulatedViewer] = []
    private var random: SeededGenerator
    private let clocks = FakeClocks()
    private let registry: ExecSessionRegistry
    private let instance: ExecInstance
    private let batch = ViewerBatch()
    /// The newest chunk that the log has, where it can't be written any more; 0: it never could.
    private var logEnd: Int?
    /// What the log may take; 0: there is no limit.
    private let logBytesMax: Int
    /// The newest chunk that the model has trimmed, and the newest whose record it has.
    private var trimmed: (through: Int, records: Int) = (0, 0)

    static let stepsMax = 120

    init(seed: UInt64, directory: String) throws {
        random = SeededGenerator(seed: seed)
        let isWithoutLog = random.oneIn(8)
        logEnd = isWithoutLog ? 0 : nil
        logBytesMax = random.oneIn(2) ? 1_400 + random.below(4_000) : 0
        var configuration = RegistryConfiguration(
            stateDirectory: isWithoutLog ? "/dev/null/none" : directory
        )
        configuration.ringChunksMax = 1 + random.below(6)
        configuration.ringBytesMax = 64 + random.below(600)
        configuration.chunkBytesMax = 128
        registry = ExecSessionRegistry(configuration: configuration, clocks: clocks)
        let key = try ExecKey(container: "s", exec: "e\(seed)")
        instance =
            logBytesMax > 0
            ? try registry.limited(key, UInt64(logBytesMax)) : try registry.register(key)
    }

    mutating func run() throws {
        defer { for viewer in viewers where !viewer.isGone { viewer.viewer.detach() } }
        for _ in 0..<(20 + random.below(Self.stepsMax)) { try step() }
        if exit == nil { finish() }
        for index in viewers.indices { try drain(index) }
        if !isRemoved { try expire() }
    }

    private mutating func step() throws {
        switch random.below(20) {
        case 0...5 where exit == nil: try write()
        case 6...7: try attach()
        case 8...14: try pullSome()
        case 15: giveCredit()
        case 16: try leaveOrReturn()
        case 17 where exit == nil && random.oneIn(6): finish()
        case 18 where exit == nil: random.oneIn(4) ? breakLog() : resize()
        case 18 where exit != nil && random.oneIn(3): try random.oneIn(2) ? expire() : remove()
        default: clocks.advance(by: .milliseconds(random.below(1_000)))
        }
    }

    private mutating func write() throws {
        let stream: ExecStream = random.oneIn(3) ? .stderr : .stdout
        let bytes = (0..<(1 + random.below(400))).map { _ in
            UInt8(truncatingIfNeeded: random.next())
        }
        (stream == .stdout ? instance.stdout : instance.stderr).write(bytes.span.bytes)
        for start in Swift.stride(from: 0, to: bytes.count, by: 128) {
            written.append((stream, Array(bytes[start..<min(start + 128, bytes.count)])))
            trim()
        }
        totals[stream] += UInt64(bytes.count)
        guard logEnd == nil else { return }
        let trim = instance.state.withLock { $0.trim }
        try check(
            (Int(trim.through), Int(trim.recordsThrough)) == trimmed,
            "\(trim) was trimmed, and \(trimmed) was to be"
        )
    }

    /// Seven eighths of the limit for chunks and their records, one for records of chunks that are
    /// gone; and one goes at a time.
    private mutating func trim() {
        let share = logBytesMax / 8
        func cost(_ number: Int) -> Int { written[number].bytes.count + 24 }
        var kept = written.indices[trimmed.through...].reduce(0) { $0 + cost($1) }
        guard logBytesMax > 0, logEnd == nil, kept > logBytesMax - share else { return }
        while kept > logBytesMax - 2 * share {
            kept -= cost(trimmed.through)
            trimmed.through += 1
        }
        trimmed.records = max(trimmed.records, trimmed.through - share / 24)
    }

    /// The disk is full.
    private mutating func breakLog() {
        instance.tee.withLock { $0.fail(.noSpace) }
        logEnd = logEnd ?? written.count
    }

    /// Every size is another one.
    private mutating func resize() {
        let size = WindowSize(rows: (window?.rows ?? 0) + 1, columns: 80)
        instance.resized(to: size)
        window = size
    }

    private mutating func attach() throws {
        guard viewers.count < 12 else { return }
        var view = View()
        view.slow = [.catchUp, .drop, .disconnect][random.below(3)]
        view.noFollow = random.oneIn(6)
        if random.oneIn(3) { view.windowBytes = UInt64(1 + random.below(500)) }
        if random.oneIn(3) { view.windowChunks = UInt64(1 + random.below(8)) }
        switch random.below(4) {
        case 0: view.from = .live
        case 1: view.from = .after(sequence: UInt64(random.below(written.count + 1)))
        case 2: view.from = .tail(bytes: UInt64(random.below(1_000)))
        default: break
        }
        try attach(view)
    }

    private mutating func attach(_ view: View) throws {
        let waker = FakeWaker()
        if isRemoved {
            try checkIsGone(view, waker)
            return
        }
        let attachment = try instance.attach(view, waker: waker)
        let viewer = SimulatedViewer(
            attachment.viewer,
            window: attachment.info.window,
            view: view,
            waker: waker
        )
        // First, so that it is detached whatever the checks say.
        viewers.append(viewer)
        try check(attachment.lastSequence == UInt64(written.count), "Ready told another end")
        try checkFirst(attachment.firstSequence)
        try check(viewer.window == window, "Ready told another size")
        try checkStart(viewer)
    }

    /// The oldest that can be had is there, and the one before it is not.
    private func checkFirst(_ first: UInt64) throws {
        guard logEnd == nil, !written.isEmpty else { return }
        let ringFirst = instance.state.withLock { $0.ring.firstSequence } ?? .max
        let expected = min(UInt64(trimmed.through + 1), ringFirst)
        try check(first == expected, "Ready told \(first) as the first, not \(expected)")
    }

    private func checkIsGone(_ view: View, _ waker: FakeWaker) throws {
        do {
            _ = try instance.attach(view, waker: waker)
        } catch {
            return try check(error.code == .notFound, "a removed exec answered \(error)")
        }
        try check(false, "a removed exec could be attached to")
    }

    /// Where a viewer begins is what its view says.
    private func checkStart(_ viewer: SimulatedViewer) throws {
        let next = viewer.viewer.cursor.next
        switch viewer.view.from {
        case .start: try check(next == 1, "a viewer of everything began at \(next)")
        case .live: try check(next == UInt64(written.count) + 1, "a live viewer began at \(next)")
        case .after(let sequence):
            // What nobody has any more begins where the log ends, or at the beginning: it is a gap.
            try check(
                next == sequence + 1 || next == 1 && hasNoRecord(sequence)
                    || next <= sequence && logEnd.map { next == UInt64($0) + 1 } ?? false,
                "after \(sequence) began at \(next)"
            )
        case .tail(let bytes):
            // It would have come to records that are gone: that is the beginning.
            if next == 1, trimmed.records > 0 { return }
            let tail = written[(Int(next) - 1)...].reduce(0) { $0 + $1.bytes.count }
            try check(tail <= bytes, "a tail of \(bytes) bytes had \(tail)")
            guard next > 1, logEnd == nil else { return }
            let more = tail + written[Int(next) - 2].bytes.count
            try check(more > bytes, "a tail of \(bytes) bytes could have had \(more)")
        }
    }

    private func hasNoRecord(_ sequence: UInt64) -> Bool { sequence < trimmed.records }

    private mutating func pullSome() throws {
        guard !viewers.isEmpty else { return }
        let index = random.below(viewers.count)
        for _ in 0..<(1 + random.below(4)) where try pull(index) {}
    }

    /// One pull, of which the socket may take only a part. False: nothing came.
    private mutating func pull(_ index: Int) throws -> Bool {
        let viewer = viewers[index]
        guard !viewer.isOver, !viewer.isGone else { return false }
        if viewer.isParked, !viewer.waker.take() {
            try check(
                viewer.viewer.cursor.next == UInt64(written.count) + 1 && exit == nil
                    && (viewer.window == window || !viewer.mayBeTold),
                "a parked viewer was not woken"
            )
            return false
        }
        batch.removeAll()
        let ringFirst = instance.state.withLock { $0.ring.firstSequence }
        let pulled = viewer.viewer.pull(into: batch, bytesMax: 1 + random.below(600))
        let keeps = random.oneIn(4) ? random.below(batch.chunks.count + 1) : batch.chunks.count
        try viewer.checkIsNotTooSlow(for: pulled, ringFirst)
        for chunk in batch.chunks[keeps...].reversed() { viewer.viewer.rewind(chunk) }
        for chunk in batch.chunks[..<keeps] { try viewer.receive(chunk, of: written) }
        let goesOn = try viewer.receive(
            pulled,
            written: written,
            window: window,
            exit: exit,
            ringFirst: ringFirst,
            logEnd: logEnd,
            trimmedThrough: UInt64(trimmed.through)
        )
        batch.removeAll()
        return goesOn
    }

    private mutating func giveCredit() {
        for viewer in viewers where !viewer.isOver && !viewer.isGone {
            viewer.giveCredit(UInt64(random.below(400)), messages: UInt64(random.below(5)))
        }
    }

    /// A viewer's connection breaks; perhaps it comes back, after the last it has seen.
    private mutating func leaveOrReturn() throws {
        guard let index = viewers.indices.randomElement(using: &random) else { return }
        let viewer = viewers[index]
        guard !viewer.isGone else { return }
        viewer.viewer.detach()
        viewer.isGone = true
        guard !viewer.isOver, random.oneIn(2) else { return }
        var view = viewer.view
        view.from = .after(sequence: viewer.lastSeen)
        try attach(view)
    }

    private mutating func finish() {
        exit = instance.finish(code: Int32(random.below(256)))
    }

    private mutating func remove() throws {
        guard !isRemoved else { return }
        try registry.remove(instance.key)
        isRemoved = true
        try check(registry.instances().isEmpty, "the removal left it")
    }

    private mutating func expire() throws {
        guard !isRemoved else { return }
        clocks.advance(by: registry.configuration.retention)
        registry.sweep()
        isRemoved = true
        try check(registry.instances().isEmpty, "the sweep left it")
    }

    /// Gives a viewer all the credit there is, and reads on until it has everything.
    private mutating func drain(_ index: Int) throws {
        let viewer = viewers[index]
        guard !viewer.isGone else { return }
        var pulls = 0
        while !viewer.isOver {
            viewer.giveCredit(100_000, messages: 10)
            _ = try pull(index)
            pulls += 1
            try check(pulls < 10_000, "a viewer never came to the end")
        }
        try viewer.checkEnd(written: written, exit: exit)
    }

    private func check(_ isTrue: Bool, _ message: @autoclosure () -> String) throws {
        if !isTrue { throw Violation(description: message()) }
    }
}
