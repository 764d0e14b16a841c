internal import ExecModel
internal import Kernel
internal import Synchronization

/// A process that runs here, for `publish`: its output and its end come as events. Its stdin is this
/// program's own.
///
/// Bounded: of each stream at most one piece is on its way; the pipe is read again once that was
/// taken, and a process that writes faster waits.
final class LocalProcess: Sendable {
    /// Output, and at last the end.
    let events: AsyncStream<Event>
    private let group: EventLoopGroup
    private let watch: LoopBound<ProcessWatch>

    /// What happens.
    enum Event: Sendable {
        /// A piece of output; `taken` has to be called once it needs no more memory.
        case output([UInt8], ExecStream, taken: @Sendable () -> Void)
        /// The end, after all output that came within the drain time.
        case exited(code: Int32, signal: Int32, message: String)
    }

    /// Starts the program. One that can't be started is an end like any other: 126 or 127. What comes
    /// later than `drain` after the end is no longer taken.
    init(
        _ argv: [String],
        environment: [String: String],
        drain: Duration = .seconds(2),
    ) throws(Failure) {
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        do throws(Errno) {
            var out = try Pipe.make(nonBlockingRead: true)
            var err = try Pipe.make(nonBlockingRead: true)
            let request = SpawnRequest(
                argv: argv,
                environment: environment.map { "\($0.key)=\($0.value)" },
            )
            let input = try Self.input()
            // Last of what may fail: a group that was made has to be shut down.
            group = try EventLoopGroup(count: 1, name: "process")
            let loop = group.next()
            let watch = ProcessWatch(loop: loop, drain: drain, continuation: continuation)
            self.watch = LoopBound(watch, on: loop)
            do throws(SpawnFailure) {
                let child = try Spawn.start(
                    request,
                    stdin: input,
                    stdout: out.takeWriteEnd(),
                    stderr: err.takeWriteEnd(),
                )
                let process = ProcessBox(
                    child: child,
                    stdout: out.takeReadEnd(),
                    stderr: err.takeReadEnd(),
                )
                let bound = self.watch
                loop.execute { bound.value.begin(process) }
            } catch {
                continuation.yield(
                    .exited(code: error.exitCode, signal: 0, message: error.message),
                )
                continuation.finish()
            }
        } catch {
            throw Failure("can't start the command: \(error)")
        }
    }

    deinit { group.shutdown() }

    /// Passes a signal on to the process group. Calls `orElse` where the process has ended a second ago or
    /// more, or never ran.
    func signal(_ number: Int32, orElse: @escaping @Sendable () -> Void) {
        let watch = watch
        watch.loop.execute { watch.value.signal(number, orElse: orElse) }
    }

    private static func input() throws(Errno) -> Descriptor {
        do throws(Errno) {
            return try Descriptor.standardInput()
        } catch {
            return try Files.open("/dev/null", .readOnly)
        }
    }
}

/// The process and the ends of its pipes, on their way to the loop.
final class ProcessBox: Sendable {
    let child: ChildProcess
    let stdout: Descriptor
    let stderr: Descriptor

    init(
        child: consuming ChildProcess,
        stdout: consuming Descriptor,
        stderr: consuming Descriptor,
    ) {
        self.child = child
        self.stdout = stdout
        self.stderr = stderr
    }
}
