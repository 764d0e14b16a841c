internal import ExecModel
internal import Kernel

/// A log that has a limit: see `LogTrimmer`.
extension OutputTee {
    /// It has more than its limit allows. One comparison, for every chunk.
    var isOverLimit: Bool { LogTrim.cost(of: offsets, lastSequence) > trimmer.threshold }

    /// Decides what goes, and writes that down, so that a server which takes this log over knows what
    /// is a hole. Nil: nothing goes. Else `carryOut` must follow, once all viewers can know.
    mutating func prepareTrim() -> LogTrim? {
        guard failure == nil, let files else {
            trimmer.giveUp()
            return nil
        }
        do throws(Errno) {
            let trim = try trimmer.next(
                cost: LogTrim.cost(of: offsets, lastSequence),
                loggedThrough: loggedThrough,
                loggedOffsets: loggedOffsets,
                in: files
            )
            try log.write(trim)
            return trim
        } catch {
            trimmer.giveUp(error)
            return nil
        }
    }

    /// Gives back to the disk what `prepareTrim` has decided on.
    mutating func carryOut(_ trim: LogTrim) {
        guard let files else { return trimmer.giveUp() }
        do throws(Errno) {
            try trimmer.carryOut(trim, in: files)
        } catch {
            trimmer.giveUp(error)
        }
    }

    /// After the exit nobody is shown what still comes, and it has no chunks that could be trimmed: it
    /// goes as a whole where it passes the limit.
    mutating func cutLateOutput() {
        guard failure == nil, let files else { return trimmer.giveUp() }
        do throws(Errno) {
            for stream in ExecStream.allCases {
                let end = sealedOffsets[stream]
                try files.withFile(of: stream) { (file) throws(Errno) in
                    try file.truncate(to: end)
                }
            }
            offsets = sealedOffsets
        } catch {
            trimmer.giveUp(error)
        }
    }
}
