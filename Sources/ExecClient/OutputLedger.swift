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

    /// Opens the books for a view that begins at `from`.
    init(from: View.From) {
        self.from = from
        switch from {
        case .start, .after(sequence: 0):
            nextSequence = 1
            nextStdout = 0
            nextStderr = 0
        case .after(let sequence): nextSequence = sequence + 1
        case .live, .tail: nextSequence = nil
        }
    }

    /// Where to go on after a break: nothing that came is asked for again, and nothing is left out.
    var resumePoint: View.From {
        // Before the first chunk of a tail its first sequence is not known: the tail starts anew.
        guard let nextSequence, nextSequence > 1 else { return from }
        return .after(sequence: nextSequence - 1)
    }

    /// The server's answer to the view. A live view begins after `lastSequence`.
    mutating func ready(lastSequence: UInt64) {
        guard case .live = from, nextSequence == nil else { return }
        // Only the place to resume at. The first chunk is not checked against it, because the
        // server may have logged one more before the view began.
        from = .after(sequence: lastSequence)
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
        }
        let expected = stream == .stdout ? nextStdout : nextStderr
        if let expected, expected != offset {
            throw Self.hole("chunk \(sequence) begins at byte \(offset) instead of \(expected)")
        }
        let (end, overflow) = offset.addingReportingOverflow(UInt64(count))
        guard sequence > 0, sequence < .max, !overflow else {
            throw ExecError(.internalError, "the server sent an impossible chunk number or offset")
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
        else { throw ExecError(.internalError, "the server sent an impossible gap") }
        if let nextSequence {
            if gap.lastSequence < nextSequence { return nil }
            if gap.firstSequence > nextSequence {
                throw Self.hole("chunk \(nextSequence) is missing before a gap")
            }
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
            nextStdout = isExact ? nextStdout.map { $0 &+ gap.stdoutBytes } : nil
            nextStderr = isExact ? nextStderr.map { $0 &+ gap.stderrBytes } : nil
        }
        nextSequence = gap.lastSequence + 1
        return news
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
        try check(nextSequence.map { $0 - 1 }, exit.lastSequence, "chunks", mayBeMore)
        try check(nextStdout, exit.stdoutBytes, "bytes of stdout", mayBeMore)
        try check(nextStderr, exit.stderrBytes, "bytes of stderr", mayBeMore)
    }

    /// The end of a view that does not follow, without an exit: everything up to the chunk that was
    /// the last when it began has to be here.
    func end(lastSequence: UInt64) throws(ExecError) {
        try check(nextSequence.map { $0 - 1 }, lastSequence, "chunks", true)
    }

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
