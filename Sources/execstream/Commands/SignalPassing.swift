internal import ExecClient
internal import ExecModel
internal import Glibc
internal import Synchronization

/// Passes this program's signals on to the exec that it follows.
///
/// Who repeats one that has reached nobody wants to leave: the server is silent or away, or the exec has
/// exited, and what it has written is not taken.
final class SignalPassing: Sendable {
    private let session: Session
    private let client: ExecClient
    private let console: Console
    private let sizes: SizeFollower?
    private let insistence = Mutex(Insistence())
    private let passing = AsyncStream.makeStream(
        of: Int32.self,
        bufferingPolicy: .bufferingOldest(16),
    )

    init(_ session: Session, _ client: ExecClient, _ console: Console, _ sizes: SizeFollower?) {
        self.session = session
        self.client = client
        self.console = console
        self.sizes = sizes
    }

    /// A signal has come. May end the program.
    func take(_ number: Int32) {
        if number == SIGWINCH { return sizes?.changed() ?? () }
        guard insistence.withLock({ $0.signalled(at: .now) }) else {
            passing.continuation.yield(number)
            return
        }
        let message =
            "interrupted before \(session.key) was seen to end; see whether it still runs:"
            + " execstream wait \(session.key) --timeout 0s"
        console.leave(saying: message) { _exit(ExitCode.failed) }
    }

    /// Passes on what has come, in order, until the task is cancelled.
    func pass() async {
        for await number in passing.stream {
            // On the way its start took, and so surely after that; while the connection is away it waits.
            guard (try? await session.signal(SignalRequest(number))) != nil else { continue }
            // That it is on its way says nothing. An answer says that the server has it, too.
            if await serverAnswers() { insistence.withLock { $0.heeded() } }
        }
    }

    /// Asks until the server answers. False: the exec has exited, and heeds nothing any more.
    private func serverAnswers() async -> Bool {
        while !Task.isCancelled {
            do throws(ExecError) {
                return try await client.wait(session.key, timeoutMS: 0).exit == nil
            } catch {
                // A refusal is an answer as well.
                if error.code != .unavailable { return error.code != .cancelled }
            }
            try? await Task.sleep(for: Insistence.patience)
        }
        return false
    }
}
