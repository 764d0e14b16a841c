internal import Kernel

/// A loop's long jobs: what is too much for one turn is done in steps, `sliceTime` of them in a turn
/// for all jobs together. So a turn stays short whatever the number of those who ask.
///
/// Belongs to its loop. Bounded by who adds: a connection has one list under way, and ends once.
final class SlicedWork {
    /// Does a little, and tells whether more is left to do. A job that stays long per step makes a turn
    /// long: a step takes well under a millisecond.
    typealias Step = () -> Bool

    private unowned let loop: EventLoop
    /// In turn, each a step at a time.
    private var jobs: [Step] = []
    private var next = 0
    private var isScheduled = false

    private static let sliceTime = Duration.milliseconds(2)

    init(on loop: EventLoop) { self.loop = loop }

    /// Has `step` called, in this turn or a later one, for as long as it returns true.
    func add(_ step: @escaping Step) {
        jobs.append(step)
        schedule()
    }

    private func schedule() {
        guard !isScheduled, !jobs.isEmpty else { return }
        isScheduled = true
        // A timer runs in the next turn: the descriptors have theirs before.
        loop.schedule(after: .zero) { [self] in
            isScheduled = false
            runSlice()
            schedule()
        }
    }

    private func runSlice() {
        // A job that was added by a step may be over already when its time comes.
        guard !jobs.isEmpty else { return }
        let end = SystemClocks().now + Self.sliceTime
        repeat {
            if next >= jobs.count { next = 0 }
            let isToGoOn = jobs[next]()
            if isToGoOn {
                next += 1
            } else {
                // The last one has its turn a little early.
                jobs.swapAt(next, jobs.count - 1)
                jobs.removeLast()
            }
        } while !jobs.isEmpty && SystemClocks().now < end
    }
}
