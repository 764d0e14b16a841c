internal import ExecModel

/// Who is on a connection: a name for the log, what they may do, and to which containers.
struct Identity: Hashable, Sendable {
    /// A token's name, or `uid:1000`.
    let name: String
    let role: Role
    /// What a container's name must begin with, one of them; empty: it may be any.
    var prefixes: [String] = []

    /// Whether execs of this container may be seen at all.
    func covers(_ containerID: String) -> Bool {
        // Bytes: what counts as equal characters is not for a peer to play with.
        prefixes.isEmpty || prefixes.contains { containerID.utf8.starts(with: $0.utf8) }
    }

    /// Why this may not be done; nil: it may. The one place where that is decided.
    func refusal(of action: Action, on target: Target) -> ExecError? {
        guard let needs = action.needs else { return nil }
        guard role >= needs else {
            return ExecError(
                .permissionDenied,
                "role \(role) may not \(action.phrase); that needs role \(needs)"
            )
        }
        guard let container = target.containerID, !covers(container) else { return nil }
        return ExecError(
            .permissionDenied,
            "role \(role) of this token may not \(action.phrase) outside of the containers "
                + "that begin with \(prefixes.joined(separator: ", ")); "
                + "that needs a token for the container"
        )
    }
}
