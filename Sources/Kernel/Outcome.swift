internal import Glibc
internal import Synchronization

/// What came of something that another thread does: told once, waited for once.
final class Outcome: Sendable {
    private let failure = Mutex<Errno?>(nil)
    private nonisolated(unsafe) let isTold: UnsafeMutablePointer<sem_t>

    init() {
        isTold = .allocate(capacity: 1)
        sem_init(isTold, 0, 0)
    }

    deinit {
        sem_destroy(isTold)
        isTold.deallocate()
    }

    /// Runs `body`, and tells how that went.
    func tell(_ body: () throws(Errno) -> Void) {
        do throws(Errno) {
            try body()
        } catch {
            failure.withLock { $0 = error }
        }
        sem_post(isTold)
    }

    /// Waits until it is told; throws what `body` has thrown.
    func wait() throws(Errno) {
        while sem_wait(isTold) != 0 {}
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
