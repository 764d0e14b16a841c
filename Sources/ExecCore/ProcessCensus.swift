internal import Kernel

/// Measures the processes of one exec away from the loops: a look at /proc/PID waits for as long as the
/// process holds what the kernel locks there, which it can do for ever. Used on the loop that watches it.
final class ProcessCensus {
    private let threads: WaitingThreads
    /// One is under way; it may hang.
    private var isUnderWay = false

    /// After that long a measurement is given up by those who wait for it.
    private static let timeMax = Duration.seconds(2)

    /// On `threads` the processes are counted.
    init(_ threads: WaitingThreads) { self.threads = threads }

    /// Calls `done` on `loop` with the sum over the processes that `pids` finds, which is called on some
    /// thread; now or soon. Nil: it can't be had, or not in time.
    func sum(
        over pids: @escaping @Sendable () -> [Int32],
        withIO: Bool,
        on loop: EventLoop,
        _ done: @escaping (Consumption?) -> Void,
    ) {
        guard !isUnderWay else { return done(nil) }
        var tell: ((Consumption?) -> Void)? = done
        let timer = loop.schedule(after: Self.timeMax) {
            tell?(nil)
            tell = nil
        }
        let over = LoopBound(
            { [self] (sum: Consumption?) in
                isUnderWay = false
                loop.cancel(timer)
                tell?(sum)
                tell = nil
            },
            on: loop
        )
        isUnderWay = true
        let isRun = threads.run {
            let sum = Consumption(sumOver: pids(), withIO: withIO)
            loop.execute { over.value(sum) }
        }
        if !isRun { over.value(nil) }
    }
}
