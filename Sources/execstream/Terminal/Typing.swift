internal import ExecClient
internal import ExecModel
internal import Synchronization

/// What was typed, on its way to the exec: while the connection is away, or the exec does not read,
/// the keys that leave must still be heard. Beyond `bytesMax` the reader waits.
final class Typing: Sendable {
    private let pieces = AsyncStream.makeStream(of: [UInt8].self)
    private let room = AsyncStream.makeStream(
        of: Void.self,
        bufferingPolicy: .bufferingNewest(1),
    )
    private let waitingBytes = Atomic(0)

    private static let bytesMax = 256 << 10

    /// Takes what was typed. One task.
    func put(_ bytes: [UInt8]) async {
        guard !bytes.isEmpty else { return }
        let (_, waiting) = waitingBytes.add(bytes.count, ordering: .relaxed)
        pieces.continuation.yield(bytes)
        guard waiting > Self.bytesMax else { return }
        for await _ in room.stream
        where waitingBytes.load(ordering: .relaxed) <= Self.bytesMax { return }
    }

    /// Nothing more will be typed.
    func finish() { pieces.continuation.finish() }

    /// Sends everything; answers 0 when there is nothing more, and nil where the session is over.
    func send(to session: Session) async throws -> Int32? {
        for await bytes in pieces.stream {
            guard await send(bytes, to: session) else { return nil }
            waitingBytes.subtract(bytes.count, ordering: .relaxed)
            room.continuation.yield()
        }
        return Task.isCancelled ? nil : 0
    }

    /// False: the session is over, which is told elsewhere. A piece of which the exec may have a part is
    /// not sent again, lest a command be typed twice.
    private func send(_ bytes: [UInt8], to session: Session) async -> Bool {
        while true {
            do throws(ExecError) {
                try await session.send(bytes)
                return true
            } catch {
                // The connection broke, which the user is told.
                guard error.code == .aborted else { return false }
                if error.cause is StdinPartlySent { return true }
            }
        }
    }
}
