internal import ExecModel
internal import Kernel

/// One of the pipes of a `ProcessWatch`. The loop's thread only.
final class PipeReader: ReadinessHandler {
    private let process: ProcessBox
    private let stream: ExecStream
    private let loop: EventLoop
    private weak var watch: ProcessWatch?
    /// Nil: a piece waits to be taken, or nothing is read any more.
    private var registration: Registration?
    /// How much is still read; nil: all that comes.
    private var restBytes: Int?
    private var isOver = false

    private static let pieceBytesMax = 64 << 10

    init(_ process: ProcessBox, _ stream: ExecStream, loop: EventLoop, watch: ProcessWatch) {
        self.process = process
        self.stream = stream
        self.loop = loop
        self.watch = watch
    }

    /// Waits for output.
    func begin() throws(Errno) {
        registration =
            switch stream {
            case .stdout: try loop.register(process.stdout, for: .readable, self)
            case .stderr: try loop.register(process.stderr, for: .readable, self)
            }
    }

    /// The last piece was taken.
    func resume() {
        guard !isOver, registration == nil else { return }
        do throws(Errno) { try begin() } catch { end() }
    }

    /// What the pipe holds now is the last that is read.
    func readRest() {
        let waiting =
            switch stream {
            case .stdout: try? process.stdout.bytesWaiting
            case .stderr: try? process.stderr.bytesWaiting
            }
        restBytes = waiting ?? 0
        if restBytes == 0 { end() }
    }

    /// No more is read.
    func stop() {
        isOver = true
        pause()
    }

    func ready(_ readiness: Readiness) {
        let max = min(Self.pieceBytesMax, restBytes ?? .max)
        let scratch = UnsafeMutableRawBufferPointer(rebasing: loop.scratch.prefix(max))
        var count: Int?
        do throws(Errno) {
            switch stream {
            case .stdout: count = try process.stdout.read(into: scratch)
            case .stderr: count = try process.stderr.read(into: scratch)
            }
        } catch {
            count = 0
        }
        guard let count else { return }
        if count == 0 { return end() }
        // Deregistered rather than deaf: a hang-up is told whatever the interest.
        pause()
        watch?.read(Array(scratch.prefix(count)), stream)
        guard let rest = restBytes else { return }
        restBytes = rest - count
        if rest == count { end() }
    }

    private func pause() {
        if let registration { loop.deregister(registration) }
        registration = nil
    }

    private func end() {
        stop()
        watch?.ended(stream)
    }
}
