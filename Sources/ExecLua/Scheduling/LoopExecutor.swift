internal import Kernel

/// Runs tasks on a loop's thread, between its other events: what they do needs no lock there.
///
/// The loop must outlive the tasks.
final class LoopExecutor: TaskExecutor {
    private let loop: EventLoop

    init(_ loop: EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isRunning = loop.execute { [self] in
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        precondition(isRunning, "the loop \(loop.name) has ended before its tasks")
    }
}
