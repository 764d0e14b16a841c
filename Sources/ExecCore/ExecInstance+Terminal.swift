package import ExecModel
internal import Synchronization

/// The terminal of an exec that this server runs. From any thread.
extension ExecInstance {
    /// Changes the terminal's size; what is 0 in it stays as it is. Every viewer is told what it is
    /// then, also where nothing has changed. Does nothing where the exec has exited.
    ///
    /// Throws INVALID_ARGUMENT for a size that no terminal can have, FAILED_PRECONDITION where the exec
    /// has no terminal, RESOURCE_EXHAUSTED where too many wait for its start.
    package func resize(
        to size: WindowSize,
        done: @escaping @Sendable () -> Void = {},
    ) throws(ExecError) {
        guard command?.hasTerminal == true else {
            throw ExecError(.failedPrecondition, "\(key) has no terminal")
        }
        try size.check("resize")
        guard exit == nil else { return done() }
        if let controller { return controller.resize(to: size, done: done) }
        let starting = try whenStarted(.control) { [self] _ in
            if let controller { controller.resize(to: size, done: done) } else { done() }
        }
        if case .no = starting { done() }
    }

    /// Its terminal has been given this size: every viewer is told, the newest where it is slow.
    package func resized(to size: WindowSize) {
        let parked = state.withLock { state -> [(any Wakeable)?] in
            guard state.info.exit == nil else { return [] }
            state.info.window = size
            state.resizes += 1
            return state.parked.takeAll()
        }
        for viewer in parked { viewer?.wake() }
    }
}
