internal import ExecClient
internal import ExecModel

/// One stream of an exec, read from the server's log. The loop's thread only; one reader at a time.
final class Follower: @unchecked Sendable {
    // Unchecked: its tasks run on the script's loop, one after the other.
    private let session: Session
    private let stream: ExecStream
    private var rest: ArraySlice<UInt8> = []
    private(set) var hasEnded = false

    /// Begins after this sequence.
    init(_ key: ExecKey, _ stream: ExecStream, after sequence: UInt64, client: ExecClient) {
        var view = View()
        view.readOnly = true
        view.windowBytes = ScriptProcess.windowBytes
        view.from = sequence == 0 ? .start : .after(sequence: sequence)
        session = client.attach(key, view: view)
        self.stream = stream
    }

    /// What comes next of the stream, at most `max` bytes; empty at its end. Throws DATA_LOSS in the
    /// place of what the server could not keep, and goes on behind that.
    func next(max: Int) async throws(ExecError) -> ArraySlice<UInt8> {
        var events = session.events.makeAsyncIterator()
        while rest.isEmpty, !hasEnded {
            guard let event = try await events.next(isolation: nil) else {
                hasEnded = true
                break
            }
            switch event {
            case .output(let chunk) where chunk.stream == stream: rest = chunk.bytes[...]
            case .gap(let gap):
                let count = stream == .stdout ? gap.stdoutBytes : gap.stderrBytes
                if count > 0 { throw .outputLost("\(count)") }
            default: break
            }
        }
        let piece = rest.prefix(max)
        rest = rest.dropFirst(piece.count)
        return piece
    }

    func close() { session.close() }
}

extension ExecError {
    /// So many bytes of output will not come.
    static func outputLost(_ count: String) -> ExecError {
        ExecError(
            .dataLoss,
            "\(count) bytes of output are lost: the server could not keep them"
        )
    }
}
