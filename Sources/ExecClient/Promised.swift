internal import Kernel
internal import Synchronization

/// A loop's object that another thread may name before the loop has made it.
///
/// Set and read on the loop only. The jobs that read it are posted after the one that sets it.
final class Promised<Object: AnyObject>: Sendable {
    private let bound = Mutex<LoopBound<Object>?>(nil)

    /// Names the object.
    func set(_ object: Object, on loop: EventLoop) {
        let made = LoopBound(object, on: loop)
        bound.withLock { $0 = made }
    }

    /// The object; nil: it has not been made.
    func value(on loop: EventLoop) -> Object? {
        loop.assertCurrent()
        return bound.withLock { $0 }?.value
    }
}
