internal import ExecClient
internal import ExecModel
internal import Kernel

/// Gives an exec's terminal the size of the user's: at the begin, and whenever that changes. A size
/// that somebody else has given it stays until then: two who insist would never end.
final class SizeFollower: Sendable {
    private let terminal: UserTerminal
    private let session: Session
    private let changes = AsyncStream.makeStream(
        of: Void.self,
        bufferingPolicy: .bufferingNewest(1),
    )

    init(_ terminal: UserTerminal, _ session: Session) {
        self.terminal = terminal
        self.session = session
    }

    /// The exec's terminal has this size now.
    func begin(at window: WindowSize) {
        if terminal.window.filled(from: window) != window { changed() }
    }

    /// The user's terminal has another size.
    func changed() { changes.continuation.yield() }

    /// Tells every change, the newest where it takes long, until the task is cancelled.
    func follow() async -> Int32? {
        for await _ in changes.stream {
            // A session that is over is told elsewhere.
            try? await session.resize(to: terminal.window)
        }
        return nil
    }
}

extension UserTerminal {
    /// Its size; what it does not know is 0.
    var window: WindowSize {
        let (rows, columns) = size
        return WindowSize(rows: UInt32(rows), columns: UInt32(columns))
    }
}
