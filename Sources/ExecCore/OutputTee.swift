internal import ExecModel
internal import Kernel

/// The writing side of an exec's output: file first, then memory. It stages chunks, which the
/// instance then publishes to its ring all at once.
///
/// A log that can't be written never stops the exec: the first failure is kept in `failure`, and
/// from then on the chunks exist in memory alone. Bounded by `stagedMax` chunks before a publish, and
/// by the log's limit where there is one.
struct OutputTee {
    private(set) var staged: [Chunk] = []
    /// How far the streams have come, staged chunks included.
    var offsets = StreamOffsets()
    /// The newest sequence, staged chunks included.
    private(set) var lastSequence: UInt64 = 0
    /// Why the log is not complete; nil: it is.
    private(set) var failure: Errno?
    /// Why a pipe was given up before its end; nil: none was.
    private(set) var readFailure: Errno?
    /// The newest chunk that memory does not have either is not yet published: how far the streams had
    /// come with it.
    private var lost: StreamOffsets?
    /// The newest sequence that can be read from the log.
    private(set) var loggedThrough: UInt64 = 0
    /// How far the streams had come with that one.
    private(set) var loggedOffsets = StreamOffsets()
    /// After the exit was told: what still comes is kept in the raw files alone.
    private(set) var isSealed = false
    /// How far the streams had come then.
    private(set) var sealedOffsets = StreamOffsets()
    /// The registry has forgotten the exec: nothing is to be staged any more.
    private(set) var isForgotten = false
    /// Keeps the log within its limit.
    var trimmer: LogTrimmer
    /// Kept here so that publishing needs no allocation; see `ExecInstance.publish`.
    var waking: [(any Wakeable)?] = []

    let log: ExecLog
    private let chunkBytesMax: Int
    private(set) var files: LogFiles?
    private var pool = SlabPool()
    private var records: [UInt8] = []
    private var spliceRefused = false
    /// Streams whose pipe was full once, and was widened.
    private var widened: Set<ExecStream> = []

    /// Chunks in one publish: enough that locks and the index cost little per chunk, few enough
    /// that one exec can't keep its loop from the others.
    static let stagedMax = 4
    /// What a pipe holds whose writer is fast. All of it fits a processor's own cache.
    private static let pipeBytes = 256 << 10
    /// The least room that is worth a read.
    private static let readBytesMin = 4 << 10

    init(log: ExecLog, chunkBytesMax: Int, logBytesMax: UInt64) {
        self.log = log
        trimmer = LogTrimmer(logBytesMax: logBytesMax)
        self.chunkBytesMax = chunkBytesMax
    }

    var isFull: Bool {
        staged.count >= Self.stagedMax || lost != nil || isOverLimit && !isSealed
    }

    /// Moves what `pipe` has now, one chunk at most. Returns 0 at its end, nil while it is empty.
    mutating func stage(
        from pipe: borrowing Descriptor,
        as stream: ExecStream,
        clocks: any Clocks,
    ) throws(Errno) -> Int? {
        // An exec that writes nothing gets no files: the most common end of a pipe is right away.
        if files == nil, failure == nil, (try? pipe.bytesWaiting) == 0 {
            return try stageRead(from: pipe, as: stream, clocks: clocks)
        }
        openFiles()
        if failure == nil, !spliceRefused, let files {
            do throws(Errno) {
                let at = offsets[stream]
                let max = chunkBytesMax
                let moved = try files.withFile(of: stream) { (file) throws(Errno) in
                    try pipe.splice(to: file, at: at, count: max)
                }
                guard let count = moved, count > 0 else { return moved }
                if count == max { widen(pipe, of: stream) }
                stageLogged(count, in: files, as: stream, clocks: clocks)
                return count
            } catch .invalid {
                spliceRefused = true
            } catch {
                // What splice could not write is still in the pipe.
                fail(error)
            }
        }
        return try stageRead(from: pipe, as: stream, clocks: clocks)
    }

    /// Takes a copy of one chunk's bytes.
    mutating func stage(_ bytes: RawSpan, as stream: ExecStream, clocks: any Clocks) {
        openFiles()
        let slab = pool.slab(for: bytes.byteCount)
        let start = slab.append(bytes)
        add(slab, start, bytes.byteCount, stream, clocks)
    }

    /// Writes the records of the staged chunks. The chunks can be read from the log after it.
    mutating func flushIndex() {
        if failure == nil, let error = writeIndex() { fail(error) }
    }

    /// Answers what went wrong.
    private mutating func writeIndex() -> Errno? {
        guard !isSealed, let files else { return nil }
        let unwritten = staged.drop { $0.sequence <= loggedThrough }
        guard let first = unwritten.first, let last = unwritten.last else { return nil }
        records.removeAll(keepingCapacity: true)
        for chunk in unwritten { IndexRecord(chunk).append(to: &records, as: chunk.sequence) }
        do throws(Errno) {
            let at = IndexRecord.position(of: first.sequence)
            try files.withIndex { (index) throws(Errno) in
                try index.pwrite(records.span.bytes, at: at)
            }
            loggedThrough = last.sequence
            for chunk in unwritten { loggedOffsets[chunk.stream] = chunk.end }
            return nil
        } catch {
            return error
        }
    }

    /// Whether there is anything to publish.
    var hasNews: Bool { !staged.isEmpty || lost != nil }

    /// How far the streams had come with the newest chunk that nobody can be given, once. What stands
    /// in memory before it is not to be followed by what comes after.
    mutating func takeLost() -> StreamOffsets? { lost.take() }

    /// A pipe can't be read any more, though its writers may go on.
    mutating func giveUpReading(_ error: Errno) { readFailure = readFailure ?? error }

    /// Hands the staged chunks over, oldest first; `into` may give slabs back.
    mutating func takeStaged(_ into: (Chunk, inout SlabPool) -> Void) {
        for chunk in staged { into(chunk, &pool) }
        staged.removeAll(keepingCapacity: true)
    }

    /// Goes on after what an earlier server has logged.
    mutating func resume(after recovered: LogRecovery.Outcome) {
        lastSequence = recovered.lastSequence
        loggedThrough = recovered.lastSequence
        loggedOffsets = recovered.offsets
        offsets = recovered.offsets
    }

    /// The exit is being told: no further chunk gets a sequence.
    mutating func seal() {
        guard !isSealed else { return }
        isSealed = true
        sealedOffsets = offsets
    }

    /// The log is on its way out: what still comes would be kept for nobody.
    mutating func forget() {
        isForgotten = true
        files = nil
    }

    /// Closes the files and gives the memory back; what comes after opens them again.
    mutating func release() {
        files = nil
        pool.removeAll()
        staged = []
        records = []
        waking = []
    }

    private mutating func openFiles() {
        guard files == nil, failure == nil else { return }
        do throws(Errno) {
            files = try log.files()
            if staged.capacity == 0 { staged.reserveCapacity(Self.stagedMax) }
        } catch {
            fail(error)
        }
    }

    /// From here on the log is not complete.
    mutating func fail(_ error: Errno) {
        // What was logged before can still be read, if its records can be written.
        _ = writeIndex()
        failure = error
        files = nil
    }

    /// A pipe that was full had its writer wait: from now on it holds more, and a turn finds more in it.
    private mutating func widen(_ pipe: borrowing Descriptor, of stream: ExecStream) {
        guard !widened.contains(stream) else { return }
        widened.insert(stream)
        pipe.widenPipe(to: Self.pipeBytes)
    }

    private mutating func stageLogged(
        _ count: Int,
        in files: LogFiles,
        as stream: ExecStream,
        clocks: any Clocks,
    ) {
        if isSealed { return addLate(count, stream) }
        let slab = pool.slab(for: count)
        let at = offsets[stream]
        do throws(Errno) {
            let start = try files.withFile(of: stream) { (file) throws(Errno) in
                try slab.append(from: file, at: at, count: count)
            }
            record(slab, start, count, stream, clocks)
        } catch {
            lose(count, of: stream, error)
        }
    }

    /// What went into the file can't be read back, and the pipe has it no more: viewers get a gap. The
    /// file has it, for those who come when its disk can be read again.
    private mutating func lose(_ count: Int, of stream: ExecStream, _ error: Errno) {
        fail(error)
        staged.removeAll(keepingCapacity: true)
        lastSequence += 1
        offsets[stream] += UInt64(count)
        lost = offsets
    }

    private mutating func stageRead(
        from pipe: borrowing Descriptor,
        as stream: ExecStream,
        clocks: any Clocks,
    ) throws(Errno) -> Int? {
        let slab = pool.slab(for: Self.readBytesMin)
        let start = slab.used
        let read = try slab.append(readingFrom: pipe, max: chunkBytesMax)
        guard let count = read, count > 0 else { return read }
        openFiles()
        add(slab, start, count, stream, clocks)
        return count
    }

    /// Writes bytes that are in memory to the file, and stages them.
    private mutating func add(
        _ slab: Slab,
        _ start: Int,
        _ count: Int,
        _ stream: ExecStream,
        _ clocks: any Clocks,
    ) {
        if failure == nil, let files {
            do throws(Errno) {
                let at = offsets[stream]
                try files.withFile(of: stream) { (file) throws(Errno) in
                    try slab.write(at: start, count: count, to: file, at: at)
                }
            } catch {
                fail(error)
            }
        }
        guard !isSealed else { return addLate(count, stream) }
        record(slab, start, count, stream, clocks)
    }

    private mutating func addLate(_ count: Int, _ stream: ExecStream) {
        offsets[stream] += UInt64(count)
        if isOverLimit { cutLateOutput() }
    }

    private mutating func record(
        _ slab: Slab,
        _ start: Int,
        _ count: Int,
        _ stream: ExecStream,
        _ clocks: any Clocks,
    ) {
        lastSequence += 1
        staged.append(
            Chunk(
                sequence: lastSequence,
                offset: offsets[stream],
                unixNS: clocks.unixNS,
                stream: stream,
                slab: slab,
                start: start,
                count: count,
            )
        )
        offsets[stream] += UInt64(count)
    }
}
