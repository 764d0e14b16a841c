internal import ExecCore
internal import Wire

/// The execs for one answer, gathered in the order of their keys, a few in each step: a list of all execs
/// holds up no other call. What is started or removed meanwhile may be missing; all else is there, once,
/// as it was when its step came.
///
/// Belongs to its connection's loop.
final class GatheredExecs {
    private let registry: ExecSessionRegistry
    private let containerID: String?
    private let includes: (ExecInfo) -> Bool
    private var last: ExecKey?
    private(set) var answer: ExecsAnswer

    /// Of one step: so many execs are looked at, and so many bytes encoded.
    private static let stepCount = 64
    private static let stepBytes = 64 << 10

    init(
        _ answer: ExecsAnswer,
        from registry: ExecSessionRegistry,
        of containerID: String?,
        where includes: @escaping (ExecInfo) -> Bool,
    ) {
        self.answer = answer
        self.registry = registry
        self.containerID = containerID
        self.includes = includes
    }

    /// Gathers a few; false: that was all, or all that there is room for.
    func step() -> Bool {
        let found = registry.instances(after: last, of: containerID, max: Self.stepCount)
        let start = answer.byteCount
        for instance in found {
            last = instance.key
            let info = instance.info
            if includes(info) { answer.append(info) }
            if answer.isFull { return false }
            if answer.byteCount - start >= Self.stepBytes { return true }
        }
        return found.count == Self.stepCount
    }
}
