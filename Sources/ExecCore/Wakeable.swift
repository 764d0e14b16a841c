/// Whoever waits for something to happen to an exec. Called on any thread, with no lock of its own
/// taken below it: it must return at once (it marks, posts or signals, and acts elsewhere).
package protocol Wakeable: AnyObject, Sendable {
    func wake()
}
