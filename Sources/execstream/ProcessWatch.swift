internal import ExecModel
internal import Kernel

/// A local process on its loop: reads its pipes, and notices its end. The loop's thread only.
final class ProcessWatch: ReadinessHandler {
    private let loop: EventLoop
    private let continuation: AsyncStream<LocalProcess.Event>.Continuation
    private var process: ProcessBox?
    private var registration: Registration?
    private var readers: [ExecStream: PipeReader] = [:]
    private var end: ProcessEnd?
    private var endedAt: Instant?
    private var isOver = false

    /// How long output may outlive the process.
    private let drain: Duration

    /// Nothing runs yet.
    init(
        loop: EventLoop,
        drain: Duration,
        continuation: AsyncStream<LocalProcess.Event>.Continuation,
    ) {
        self.loop = loop
        self.drain = drain
        self.continuation = continuation
    }

    /// The process runs.
    func begin(_ process: ProcessBox) {
        self.process = process
        do throws(Errno) {
            registration = try process.child.register(on: loop, self)
            for stream in ExecStream.allCases {
                let reader = PipeReader(process, stream, loop: loop, watch: self)
                readers[stream] = reader
                try reader.begin()
            }
        } catch {
            finish(code: 126, signal: 0, message: "can't watch the command: \(error)")
        }
    }

    /// Passes a signal on. `orElse`: nobody is there to get it, and that is not so only just now.
    func signal(_ number: Int32, orElse: () -> Void) {
        guard let process else { return orElse() }
        if let endedAt {
            if loop.now - endedAt >= Insistence.patience { orElse() }
        } else {
            try? process.child.signal(number, group: true)
        }
    }

    /// It has ended.
    func ready(_ readiness: Readiness) {
        guard let process, let registration else { return }
        do throws(Errno) {
            guard let end = try process.child.collect() else { return }
            self.end = end
            endedAt = loop.now
        } catch {
            return finish(code: 125, signal: 0, message: "its end could not be observed: \(error)")
        }
        loop.deregister(registration)
        self.registration = nil
        loop.schedule(after: drain) { [weak self] in self?.readRest() }
        finishIfDrained()
    }

    /// A piece of output.
    func read(_ bytes: [UInt8], _ stream: ExecStream) {
        let reader = LoopBound(readers[stream], on: loop)
        let loop = loop
        continuation.yield(
            .output(bytes, stream, taken: { loop.execute { reader.value?.resume() } }),
        )
    }

    /// A pipe has ended.
    func ended(_ stream: ExecStream) {
        readers[stream] = nil
        finishIfDrained()
    }

    /// The drain time has passed. Who takes the output may be slower, so what is there by now still is
    /// read: all that the process itself has written is.
    private func readRest() {
        for reader in readers.values { reader.readRest() }
    }

    private func finishIfDrained() {
        guard let end, readers.isEmpty else { return }
        finish(code: end.code ?? 128 + end.signal, signal: end.signal, message: "")
    }

    private func finish(code: Int32, signal: Int32, message: String) {
        guard !isOver else { return }
        isOver = true
        endedAt = endedAt ?? loop.now
        for reader in readers.values { reader.stop() }
        readers = [:]
        if let registration { loop.deregister(registration) }
        registration = nil
        continuation.yield(.exited(code: code, signal: signal, message: message))
        continuation.finish()
    }
}
