internal import Kernel

/// Freezes a cgroup and waits until it is: nobody in it notices. On the exec's loop.
final class CgroupFreezer {
    private let cgroup: Cgroup
    private var watch: CgroupWatch?
    private var timer: (id: TimerID, loop: EventLoop)?
    private var waiting: [(Result<FreezeMethod, Errno>) -> Void] = []

    /// The kernel freezes what is in a system call that can't be broken off when that is over.
    private static let patience = Duration.seconds(2)

    init(_ cgroup: Cgroup) { self.cgroup = cgroup }

    /// Tells once nothing of it runs.
    func freeze(on loop: EventLoop, _ done: @escaping (Result<FreezeMethod, Errno>) -> Void) {
        waiting.append(done)
        do throws(Errno) {
            if watch == nil {
                watch = try CgroupWatch(cgroup, on: loop) { [weak self] state in
                    if state.isFrozen { self?.finish(.success(.cgroup)) }
                }
            }
            guard try cgroup.freeze() else { throw .notImplemented }
        } catch {
            return finish(.failure(error))
        }
        if cgroup.state?.isFrozen == true { return finish(.success(.cgroup)) }
        guard timer == nil else { return }
        let id = loop.schedule(after: Self.patience) { [weak self] in
            self?.timer = nil
            // Nothing of it returns to its program any more.
            self?.finish(.success(.cgroup))
        }
        timer = (id, loop)
    }

    /// Lets it go on; who still waits for it to freeze is told so. Throws where it stays as it is.
    func thaw() throws(Errno) {
        guard try cgroup.thaw() else { throw .notImplemented }
        giveUp()
    }

    /// Who still waits for it to freeze is told so, and has to thaw it: the order to freeze stands.
    func giveUp() { finish(.failure(.interrupted)) }

    private func finish(_ result: Result<FreezeMethod, Errno>) {
        watch?.cancel()
        watch = nil
        if let timer { timer.loop.cancel(timer.id) }
        timer = nil
        let told = waiting
        waiting = []
        for tell in told { tell(result) }
    }
}
