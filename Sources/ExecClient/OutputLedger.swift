internal import ExecModel

/// The books of one session: which chunks have come, so that what is missing is noticed.
///
/// A value; it is told what arrives and answers whether it is new. It throws DATA_LOSS where a chunk
/// is missing that no Gap announced, and where the exit's totals don't match what came.
struct OutputLedger {
    /// The sequence that has to come next; nil: any may, and the first one sets it.
    private var nextSequence: UInt64?
    /// The byte that has to come next in each stream; nil: any may.
    private var nextStdout: UInt64?
    private var nextStderr: UInt64?
    /// Where the view began, for as long as nothing has come.
    private var from: View.From
    /// Of a tail, for as long as nothing has come: the newest chunk when it began.
    private var tailEnd: UInt64?
    /// The newest chunk that may be told of before any has come; nil: any. A tail that starts anew may
    /// begin behind what followed the first one, and that would be missing.
    private var followed: UInt64?

    /// Opens the books for a view that begins at `from`.
    init(from: View.From) {
        self.from = from
        switch from {
        case .start, .after(sequence: 0):
            nextSequence = 1
            nextStdout = 0
            nextStderr = 0
        // Of the largest number there is the server says that it has not come so far.
        case .after(let sequence): nextSequence = min(sequence, .max - 1) + 1
        case .live, .tail: nextSequence = nil
        }
    }

    /// Where to go on after a break: nothing that came is asked for again, and nothing is left out.
    var resumePoint: View.From {
        // Before the first chunk of a tail its first sequence is not known: the tail starts anew.
        guard let nextSequence, nextSequence > 1 else { return from }
        return .after(sequence: nextSequence - 1)
    }

    /// The server's answer to the first view. One that wants nothing of the past, or finds none, begins
    /// after `lastSequence`.
    mutating func ready(lastSequence: UInt64) {
        switch from {
        case .live, .tail(bytes: 0),
            .tail where lastSequence == 0:
            // Only the place to resume at. The first chunk is not checked against it, because the
            // server may have logged one more before the view began.
            from = .after(sequence: lastSequence)
        case .tail: tailEnd = lastSequence
        case .start, .after: break
        }
    }

    /// The view goes on after a break, from `resumePoint`: what followed its begin has to come.
    mutating func resumed() {
        guard nextSequence == nil else { return }
        if case .after(let sequence) = from {
            nextSequence = min(sequence, .max - 1) + 1
        } else {
            followed = tailEnd
        }
    }

    /// A chunk. False: it came before, and is to be dropped.
    mutating func output(
        sequence: UInt64,
        offset: UInt64,
        stream: ExecStream,
        count: Int,
    ) throws(ExecError) -> Bool {
        if let nextSequence {
            if sequence < nextSequence { return false }
            if sequence > nextSequence {
                throw Self.hole("chunk \(nextSequence) is missing: chunk \(sequence) came")
            }
        } else if let followed, sequence > followed, sequence - followed > 1 {
            throw Self.hole("chunk \(followed + 1) is missing: chunk \(sequence) came")
        }
        let expected = stream == .stdout ? nextStdout : nextStderr
        if let expected, expected != offset {
            throw Self.hole("chunk \(sequence) begins at byte \(offset) instead of \(expected)")
        }
        let (end, overflow) = offset.addingReportingOverflow(UInt64(count))
        // An empty chunk would take room in no window, so nothing would bound how many wait.
        guard sequence > 0, sequence < .max, count > 0, !overflow else {
            throw ExecError(.internalError, "the server sent an impossible chunk")
        }
        nextSequence = sequence + 1
        if stream == .stdout { nextStdout = end } else { nextStderr = end }
        return true
    }

    /// Chunks that will not come. Answers what of them is news; nil: they are all known already, and
    /// the Gap is to be dropped.
    ///
    /// A Gap may begin with chunk 1 though later ones have come: a server that has trimmed its log for
    /// long can't tell where in it they lay, but how much all of it was. So it is exact, too.
    mutating func gap(_ gap: Gap) throws(ExecError) -> Gap? {
        guard gap.firstSequence > 0, gap.lastSequence >= gap.firstSequence, gap.lastSequence < .max
        else { throw Self.impossibleGap }
        if let nextSequence {
            if gap.lastSequence < nextSequence { return nil }
            if gap.firstSequence > nextSequence {
                throw Self.hole("chunk \(nextSequence) is missing before a gap")
            }
        } else if let followed, gap.firstSequence > followed, gap.firstSequence - followed > 1 {
            throw Self.hole("chunk \(followed + 1) is missing before a gap")
        }
        var news = gap
        news.firstSequence = nextSequence ?? gap.firstSequence
        if gap.firstSequence == 1 {
            news.stdoutBytes = try Self.rest(of: gap.stdoutBytes, after: nextStdout)
            news.stderrBytes = try Self.rest(of: gap.stderrBytes, after: nextStderr)
            nextStdout = gap.stdoutBytes
            nextStderr = gap.stderrBytes
        } else {
            let isExact = nextSequence == gap.firstSequence
            nextStdout = isExact ? try Self.end(of: gap.stdoutBytes, after: nextStdout) : nil
            nextStderr = isExact ? try Self.end(of: gap.stderrBytes, after: nextStderr) : nil
        }
        nextSequence = gap.lastSequence + 1
        return news
    }

    /// Where a stream is behind so many bytes; nil: not known.
    private static func end(of bytes: UInt64, after come: UInt64?) throws(ExecError) -> UInt64? {
        guard let come else { return nil }
        let (end, overflow) = come.addingReportingOverflow(bytes)
        guard !overflow else { throw impossibleGap }
        return end
    }

    private static var impossibleGap: ExecError {
        ExecError(.internalError, "the server sent an impossible gap")
    }

    /// What of a stream's first `bytes` lies behind those that have come; where that is not known, all.
    private static func rest(of bytes: UInt64, after come: UInt64?) throws(ExecError) -> UInt64 {
        guard let come else { return bytes }
        guard bytes >= come else {
            throw hole("a gap is said to end at byte \(bytes), but \(come) have come")
        }
        return bytes - come
    }

    /// The exit: everything up to its totals has to be here.
    func exit(_ exit: Exit) throws(ExecError) {
        // Output that a process left behind writes after the exit is logged, but in no total.
        let mayBeMore = !exit.drained
        try check(lastCome, exit.lastSequence, "chunks", mayBeMore)
        try check(nextStdout, exit.stdoutBytes, "bytes of stdout", mayBeMore)
        try check(nextStderr, exit.stderrBytes, "bytes of stderr", mayBeMore)
    }

    /// The end of a view that does not follow, without an exit: everything up to the chunk that was
    /// the last when it began has to be here.
    func end(lastSequence: UInt64) throws(ExecError) {
        try check(lastCome, lastSequence, "chunks", true)
    }

    /// The last chunk that has come or was not wanted; nil: not known.
    private var lastCome: UInt64? { nextSequence.map { $0 - 1 } ?? followed }

    private func check(
        _ seen: UInt64?,
        _ total: UInt64,
        _ what: String,
        _ mayBeMore: Bool,
    ) throws(ExecError) {
        guard let seen, seen != total, seen < total || !mayBeMore else { return }
        throw Self.hole("\(seen) \(what) came, but the server counts \(total)")
    }

    private static func hole(_ what: String) -> ExecError {
        ExecError(.dataLoss, "the output is not complete: \(what)")
    }
}
