internal import ExecModel
internal import Kernel

/// A child of this process, watched by its pidfd.
final class LocalProcess: ProcessHandle, ReadinessHandler {
    private let child: ChildProcess
    private var gone: (() -> Void)?
    private var loop: EventLoop?
    private var registration: Registration?

    init(_ child: consuming ChildProcess) { self.child = child }

    var pid: Int32 { child.pid }

    func watch(on loop: EventLoop, _ gone: @escaping () -> Void) throws(Errno) {
        registration = try child.register(on: loop, self)
        self.loop = loop
        self.gone = gone
    }

    func ready(_ readiness: Readiness) {
        if let registration { loop?.deregister(registration) }
        registration = nil
        let tell = gone
        gone = nil
        tell?()
    }

    func collect() throws(Errno) -> ProcessEnd {
        guard let end = try child.collect() else { throw .wouldBlock }
        return end
    }

    func signal(_ number: Int32, group: Bool) throws(Errno) {
        try child.signal(number, group: group)
    }
}
