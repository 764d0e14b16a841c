internal import ExecClient
internal import ExecModel

/// Sends the program's stdin to an exec.
enum Stdin {
    /// Sends until the end, and then that; nil, as it decides no exit code.
    static func pump(
        _ input: Input,
        into session: Session,
        _ console: Console,
    ) async throws -> Int32? {
        do {
            while let bytes = try await input.next() { try await session.send(bytes) }
            if !Task.isCancelled { try await session.closeStdin() }
        } catch let error as ExecError {
            switch error.code {
            // The exec has exited, or somebody else ends this: that is told elsewhere.
            case .failedPrecondition, .cancelled: break
            case .aborted:
                throw Failure("\(error.message); follow it with: execstream attach \(session.key)")
            // Whatever ends the session reaches whoever follows it.
            default: break
            }
        }
        return nil
    }
}

/// Runs the tasks that `make` adds, until one of them answers a code or throws; then ends the others.
func firstCode(
    _ make: (inout ThrowingTaskGroup<Int32?, any Error>) -> Void,
) async throws(Failure) -> Int32 {
    do {
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            make(&group)
            defer { group.cancelAll() }
            while let code = try await group.next() {
                if let code { return code }
            }
            return 0
        }
    } catch let failure as Failure {
        throw failure
    } catch let error as ExecError {
        throw Failure(error)
    } catch {
        throw Failure("\(error)")
    }
}
