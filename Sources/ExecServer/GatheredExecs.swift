internal import ExecCore
internal import Kernel
internal import Wire

/// The execs for one answer, gathered in the order of their keys, a few in each step: a list of all execs
/// holds up no other call. What is started or removed meanwhile may be missing; all else is there, once,
/// as it was when its step came.
///
/// Belongs to its connection's loop.
final class GatheredExecs {
    private let registry: ExecSessionRegistry
    private let containerID: String?
    private var includes: (ExecInfo) -> Bool
    /// What the choice of execs needs.
    private let filterBytes: Int
    private var last: ExecKey?
    private(set) var answer: ExecsAnswer

    /// Of one step: so many execs are looked at, so many bytes encoded, and such a time taken.
    private static let stepCount = 64
    private static let stepBytes = 64 << 10
    private static let stepTime = Duration.microseconds(500)

    init(
        _ answer: ExecsAnswer,
        from registry: ExecSessionRegistry,
        of containerID: String?,
        filterBytes: Int = 0,
        where includes: @escaping (ExecInfo) -> Bool,
    ) {
        self.answer = answer
        self.registry = registry
        self.containerID = containerID
        self.filterBytes = filterBytes
        self.includes = includes
    }

    /// What is held here.
    var byteCount: Int { answer.byteCount + filterBytes }

    /// Nobody waits for the answer any more: what is held goes, whoever still refers to this.
    func drop() {
        answer = .list()
        includes = { _ in false }
    }

    /// Gathers a few; false: that was all, or all that there is room for.
    func step() -> Bool {
        let found = registry.instances(after: last, of: containerID, max: Self.stepCount)
        let start = answer.byteCount
        let end = SystemClocks().now + Self.stepTime
        for instance in found {
            last = instance.key
            let info = instance.info
            if includes(info) { answer.append(info) }
            if answer.isFull { return false }
            if answer.byteCount - start >= Self.stepBytes { return true }
            // One look at an exec with many labels is more work than at many with none.
            if SystemClocks().now >= end { return true }
        }
        return found.count == Self.stepCount
    }
}
