internal import Kernel
internal import Synchronization

/// A log that has a limit, and those who read it meanwhile.
extension ExecInstance {
    /// Brings the log back within its limit. Called with `tee` held, after a publish.
    ///
    /// The order is what makes it safe: written down, then known to all viewers, then punched. A
    /// viewer that has read zeros asks `hasTrimmed` after that, and so is told a gap instead.
    func trim(_ tee: inout OutputTee) {
        guard let trim = tee.prepareTrim() else { return }
        state.withLock { $0.trim = trim }
        tee.carryOut(trim)
    }

    /// Whether the bytes of this chunk are gone, or may go at this moment.
    func hasTrimmed(_ sequence: UInt64) -> Bool {
        guard hasLogLimit else { return false }
        return state.withLock { $0.trim.through >= sequence }
    }

    /// The newest chunk whose record is gone, or may go at this moment.
    var recordsTrimmedThrough: UInt64 {
        hasLogLimit ? state.withLock { $0.trim.recordsThrough } : 0
    }

    private var hasLogLimit: Bool { command?.hasLogLimit == true }
}
