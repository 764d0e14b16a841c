internal import ExecModel
internal import Synchronization

/// Elements on their way from the loop to one consumer, in order, and then the end.
///
/// It holds what it is given: whoever puts elements in bounds them (a session by its credit window,
/// container events by dropping and counting).
final class Mailbox<Element: Sendable>: Sendable {
    private let state = Mutex(State())

    private typealias Waiter = CheckedContinuation<Result<Element?, ExecError>, Never>

    private struct State {
        var elements: [Element] = []
        var head = 0
        var end: Result<Void, ExecError>?
        var waiter: Waiter?

        mutating func pop() -> Result<Element?, ExecError>? {
            if head < elements.count {
                let element = elements[head]
                head += 1
                // The consumed part is given back once it is the larger one: amortised O(1).
                if head * 2 >= elements.count {
                    elements.removeFirst(head)
                    head = 0
                }
                return .success(element)
            }
            return end?.map { nil }
        }
    }

    /// What became of an attempt to fold a new element into one that waits.
    enum Merge {
        /// It is part of that one now.
        case merged
        /// Not with this one; the one before it may do.
        case lookFurther
        /// Not with this one, nor may it overtake it.
        case stop
    }

    /// Adds an element. `merge` may fold it into one that still waits; it is asked from the newest on.
    /// Ignored after the end. Any thread, but one at a time.
    func put(_ element: Element, merge: (inout Element) -> Merge = { _ in .stop }) {
        let waiter = state.withLock { state -> Waiter? in
            guard state.end == nil else { return nil }
            if let waiter = state.waiter.take() { return waiter }
            for index in (state.head..<state.elements.count).reversed() {
                switch merge(&state.elements[index]) {
                case .merged: return nil
                case .lookFurther: continue
                case .stop: break
                }
                break
            }
            state.elements.append(element)
            return nil
        }
        waiter?.resume(returning: .success(element))
    }

    /// How many elements wait.
    var count: Int { state.withLock { $0.elements.count - $0.head } }

    /// The end; nothing comes after it. What waits is still handed out, unless `discarding`.
    func finish(_ end: Result<Void, ExecError>, discarding: Bool = false) {
        let waiter = state.withLock { state -> Waiter? in
            if discarding {
                state.elements = []
                state.head = 0
                state.end = end
            } else if state.end == nil {
                state.end = end
            }
            return state.waiter.take()
        }
        waiter?.resume(returning: end.map { nil })
    }

    /// What `next` would answer without waiting; nil: it would wait.
    func poll() -> Result<Element?, ExecError>? { state.withLock { $0.pop() } }

    /// The next element; nil after the end. One consumer at a time. A cancelled task gets CANCELLED.
    func next() async throws(ExecError) -> Element? {
        if Task.isCancelled { throw .callerCancelled }
        if let ready = poll() { return try ready.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiter) in
                let ready = state.withLock { state -> Result<Element?, ExecError>? in
                    if let ready = state.pop() { return ready }
                    // The cancellation handler may have run before there was a waiter to cancel.
                    if Task.isCancelled { return .failure(.callerCancelled) }
                    precondition(state.waiter == nil, "a mailbox has one consumer")
                    state.waiter = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiter.take() }
            waiter?.resume(returning: .failure(.callerCancelled))
        }
        return try result.get()
    }
}
