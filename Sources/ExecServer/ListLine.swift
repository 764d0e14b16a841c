/// The lists of one identity that are under way on one loop: a few are gathered at a time, so that not all
/// of their answers are half made at once. The others wait in the order in which they came.
///
/// Belongs to its loop. Bounded by who adds: a connection has one list under way.
final class ListLine {
    private var running = 0
    private var waiting: [SlicedWork.Step] = []
    private var head = 0

    static let runningMax = 2

    /// Has `step` called by `work`, now or when those before it are done, for as long as it returns true.
    func add(to work: SlicedWork, _ step: @escaping SlicedWork.Step) {
        waiting.append(step)
        goOn(work)
    }

    private func goOn(_ work: SlicedWork) {
        while running < Self.runningMax, let step = next() {
            running += 1
            work.add { [self, unowned work] in
                if step() { return true }
                running -= 1
                goOn(work)
                return false
            }
        }
    }

    private func next() -> SlicedWork.Step? {
        guard head < waiting.count else { return nil }
        let step = waiting[head]
        // What it holds goes with it.
        waiting[head] = { false }
        head += 1
        if head * 2 >= waiting.count {
            waiting.removeFirst(head)
            head = 0
        }
        return step
    }
}
