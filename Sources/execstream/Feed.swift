internal import ExecClient
internal import ExecModel

/// Where published output goes: to the server for as long as that takes it, and through to our own
/// stdout and stderr whatever becomes of the server.
actor Feed {
    /// Nil: nothing is published any more.
    private var publisher: Publisher?
    private let console: Console
    private var isReaderGone = false

    /// How long the server may take for one piece, or for the end. Whoever writes waits meanwhile.
    private let patience = InTime(.seconds(30))

    init(_ publisher: Publisher, _ console: Console) {
        self.publisher = publisher
        self.console = console
    }

    /// Publishes a piece, and passes it through.
    func put(_ bytes: [UInt8], _ stream: ExecStream) async {
        passThrough(bytes, stream)
        await publish { publisher throws(ExecError) in
            try await publisher.write(bytes, to: stream)
        }
    }

    /// Publishes the end; answers the exit code for the program.
    func finish(code: Int32, signal: Int32 = 0, message: String = "") async throws(Failure) -> Int32
    {
        let exit = await publish { publisher throws(ExecError) in
            try await publisher.finish(code: code, signal: signal, message: message)
        }
        // It was said when it happened.
        guard let exit else { throw Failure("") }
        // How a command that ran here has ended is known here, whatever the server makes of it.
        return code == 0 ? exit.code : code
    }

    /// Nil: nothing is published (any more).
    @discardableResult
    private func publish<Value: Sendable>(
        _ body: @escaping @Sendable (Publisher) async throws(ExecError) -> Value,
    ) async -> Value? {
        guard let publisher else { return nil }
        let late = ExecError(.unavailable, "the server has taken nothing for 30 s")
        do throws(ExecError) {
            return try await patience.run(orThrow: late) { () throws(ExecError) in
                try await body(publisher)
            }
        } catch {
            fail(error)
            return nil
        }
    }

    private func passThrough(_ bytes: [UInt8], _ stream: ExecStream) {
        guard !isReaderGone else { return }
        do throws(Failure) {
            switch stream {
            case .stdout: try console.write(bytes)
            case .stderr: try console.writeError(bytes)
            }
        } catch {
            // Nobody reads here any more; those who watch still do.
            isReaderGone = true
        }
    }

    private func fail(_ error: ExecError) {
        // With it goes what the server waits for: who watches is told that nothing more will come.
        publisher = nil
        guard error.code != .cancelled else { return }
        console.complain("not published: \(Failure(error).message)")
    }
}
