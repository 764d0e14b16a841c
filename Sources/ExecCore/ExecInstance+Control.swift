package import ExecModel
internal import Kernel
internal import Synchronization

/// What can be asked of an exec that this server runs. From any thread.
extension ExecInstance {
    /// Sends a signal to the exec's whole group, or to its first process; `done` is called with what
    /// came of it, on the exec's loop. One that is being started gets it once it runs, unless the place
    /// that is returned has been given up by then.
    ///
    /// Throws FAILED_PRECONDITION where it has exited or somebody else runs it, RESOURCE_EXHAUSTED where
    /// too many signals wait for its start.
    @discardableResult
    package func signal(
        _ request: SignalRequest,
        done: @escaping @Sendable (ExecError?) -> Void,
    ) throws(ExecError) -> StartWait? {
        guard exit == nil else { throw ExecError(.failedPrecondition, "\(key) has exited") }
        if let controller {
            controller.signal(request, done: done)
            return nil
        }
        guard let loop = startingOn else {
            try running().signal(request, done: done)
            return nil
        }
        let starting = try whenStarted(.control) { [self] _ in
            if let controller { return controller.signal(request, done: done) }
            loop.execute { [self] in
                done(ExecError(.failedPrecondition, "\(key) has exited"))
            }
        }
        switch starting {
        case .waits(let wait): return wait
        case .over: return nil
        case .no:
            try running().signal(request, done: done)
            return nil
        }
    }

    /// The polite end: its stop signal, the grace (its own where none is given), SIGKILL. One that is being
    /// started does not run. Where it has exited, what it has left running is killed.
    ///
    /// Throws FAILED_PRECONDITION where somebody else runs it.
    package func stop(_ cause: StopCause, grace: Duration? = nil) throws(ExecError) {
        switch runner.withLock({ $0 }) {
        case .running(let controller): controller.stop(cause, grace: grace)
        case .starting(let start):
            start.stop(cause, grace: grace) { [self] in controller?.stop(cause, grace: grace) }
        // One that has just failed to start is about to tell its exit.
        case .none where exit != nil || command != nil: break
        case .none: try running().stop(cause, grace: grace)
        }
    }

    /// Whether stdin can be sent to it.
    package var takesStdin: Bool { controller?.hasStdin ?? false }

    /// A client that may send stdin comes. Returns the bytes that it may send at once; `credit` is
    /// called, on the exec's loop, with what it may send besides: whenever the exec has taken some.
    package func addStdinWriter(
        _ writer: UInt64,
        credit: @escaping @Sendable (Int) -> Void,
    ) -> Int {
        controller?.addStdinWriter(writer, credit: credit) ?? 0
    }

    /// That client goes. With `closing`, and if it was the last one, stdin ends after its bytes.
    package func removeStdinWriter(_ writer: UInt64, closing: Bool = false) {
        controller?.removeStdinWriter(writer, closing: closing)
    }

    /// Bytes for the exec's stdin; the caller keeps within the writer's credit.
    package func writeStdin(_ bytes: [UInt8], from writer: UInt64) {
        controller?.writeStdin(bytes, from: writer)
    }

    /// The exec's stdin ends after what was sent before.
    package func closeStdin() {
        controller?.closeStdin()
    }

    private func running() throws(ExecError) -> ProcessController {
        guard let controller else {
            throw ExecError(
                .failedPrecondition,
                "\(key) is run by its publisher; it can only be watched here"
            )
        }
        return controller
    }
}
