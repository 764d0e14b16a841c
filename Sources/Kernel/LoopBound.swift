/// A value that belongs to one loop's thread, on its way through `@Sendable` closures. The one place
/// where such a value crosses threads: it may be carried anywhere and touched only on its loop.
///
/// `@unchecked Sendable`; the guard is `loop.assertCurrent()` in both accessors. The last copy may go
/// away on any thread: a class whose deinit cares must be held by the loop's side too.
package struct LoopBound<Value>: @unchecked Sendable {
    /// Where the value may be touched.
    package let loop: EventLoop
    private var stored: Value

    /// Binds a value that nobody else touches from now on, except on `loop`.
    package init(_ value: Value, on loop: EventLoop) {
        self.loop = loop
        stored = value
    }

    /// The value; traps off the loop.
    package var value: Value {
        get {
            loop.assertCurrent()
            return stored
        }
        set {
            loop.assertCurrent()
            stored = newValue
        }
    }
}
