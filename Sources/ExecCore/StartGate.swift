internal import Kernel
internal import Synchronization

/// Lets starts of all loops begin in turn: see `StartQueue`. Any thread.
final class StartGate: Sendable {
    private let queue = Mutex(StartQueue<LocalStart>(ownUser: ownUserID()))

    /// True: the start may begin; else it is told on its loop when it may.
    func enter(_ start: LocalStart, of user: UInt32) -> Bool {
        queue.withLock { $0.enter(start, of: user) }
    }

    /// A start is over.
    func leave(_ user: UInt32) {
        var left = user
        // One whose loop has ended leaves at once.
        while let next = queue.withLock({ $0.leave(left) }) {
            let start = next.entry
            if start.loop.execute({ start.mayBegin() }) { return }
            left = next.user
        }
    }

    /// As `StartQueue` has it.
    func getStuck() -> Bool { queue.withLock { $0.getStuck() } }

    func stuckEnds() { queue.withLock { $0.stuckEnds() } }
}
