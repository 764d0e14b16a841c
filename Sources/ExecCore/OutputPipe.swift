internal import ExecModel
internal import Kernel

/// The reading end of one of an exec's output pipes, or its terminal, on its loop. Goes on after the
/// exit was told, so that what a holder of the pipe still writes is logged, until it is closed.
final class OutputPipe: ReadinessHandler {
    private let stream: ExecStream
    private let instance: ExecInstance
    private let loop: EventLoop
    private var pipe: Descriptor?
    private var registration: Registration?
    private var atEnd: ((ExecStream) -> Void)?

    init(
        _ pipe: consuming Descriptor,
        as stream: ExecStream,
        of instance: ExecInstance,
        loop: EventLoop,
    ) {
        self.pipe = consume pipe
        self.stream = stream
        self.instance = instance
        self.loop = loop
    }

    /// Starts to move output; `atEnd` is called once, when the last holder has closed the pipe.
    func begin(atEnd: @escaping (ExecStream) -> Void) {
        self.atEnd = atEnd
        do throws(Errno) {
            registration = try pipe.lend { (pipe) throws(Errno) in
                try loop.register(pipe, for: .readable, self)
            }
        } catch {
            giveUp(error)
        }
    }

    func ready(_ readiness: Readiness) { _ = move() }

    /// Moves what is there now: a pipe holds less than two turns move, and somebody who writes on
    /// must not keep the loop here.
    func drainNow() {
        for _ in 0..<2 where move() != .mayHaveMore { return }
    }

    /// Stops listening; whoever writes on gets SIGPIPE.
    func close() {
        atEnd = nil
        end()
    }

    /// The processes that hold the other end.
    func holders() -> [Int32] {
        PipeHolders.find(stdout: pipe, stderr: nil)
    }

    /// One bounded turn.
    private func move() -> ExecInstance.PipeState {
        do throws(Errno) {
            let state = try pipe.lend { (pipe) throws(Errno) in
                try instance.transfer(from: pipe, as: stream)
            }
            if state == .atEnd { end() }
            return state ?? .atEnd
        } catch .inputOutput where instance.command?.hasTerminal == true {
            // What a terminal says once nobody has its other side.
            end()
            return .atEnd
        } catch {
            giveUp(error)
            return .atEnd
        }
    }

    /// Nothing more can be read from it, so this is its end.
    private func giveUp(_ error: Errno) {
        instance.giveUpReading(error)
        end()
    }

    private func end() {
        if let registration { loop.deregister(registration) }
        registration = nil
        pipe.take()?.close()
        let tell = atEnd
        atEnd = nil
        tell?(stream)
    }
}
