internal import CLinux
internal import Glibc

/// Signals as events of a loop, instead of handlers that may interrupt anything.
package final class SignalSource: ReadinessHandler {
    private let descriptor: Descriptor
    private let loop: EventLoop
    private let handler: (Int32) -> Void
    private var registration: Registration?

    /// Keeps these signals from interrupting the calling thread and all that it makes from now on.
    /// Call it first in `main`: a thread made earlier would still be interrupted, or killed.
    package static func block(_ signals: [Int32]) {
        var set = SignalSource.set(of: signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Makes a broken pipe an error (EPIPE) everywhere in this process, also where others write.
    /// Not needed for what this floor writes. Children get the default back.
    package static func ignoreBrokenPipes() {
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    /// Calls `handler` on `loop` (which must be current) with each signal's number, until `cancel`.
    /// The signals must be blocked; two of a kind may arrive as one. The loop retains this.
    package init(
        _ signals: [Int32],
        on loop: EventLoop,
        handler: @escaping (Int32) -> Void,
    ) throws(Errno) {
        var set = SignalSource.set(of: signals)
        descriptor = Descriptor(owning: try SystemCall.value { el_signalfd(&set) })
        self.loop = loop
        self.handler = handler
        registration = try loop.register(descriptor, for: .readable, self)
    }

    /// Ends the calls; the signals stay blocked. On the loop.
    package func cancel() {
        if let registration = registration.take() { loop.deregister(registration) }
    }

    /// The loop's call.
    package func ready(_ readiness: Readiness) {
        // The handler may cancel.
        while registration != nil, let signal = next() { handler(signal) }
    }

    /// Nil also where the kernel can't tell now: the signals wait, and the loop calls again.
    private func next() -> Int32? {
        (try? SystemCall.unlessBlocked { el_signalfd_read(descriptor.number) }) ?? nil
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
