public import ExecModel
internal import Wire

// Calls on containers. They fail as those on execs do.

extension ExecClient {
    /// What a container and its execs are doing; with `usage`, also what it consumes, where that can
    /// be told.
    public func containerStatus(
        _ container: String,
        usage: Bool = false,
    ) async throws(ExecError) -> ContainerStatus {
        try await unary(
            .containerStatus,
            ContainerStatusRequest(containerID: container, includeResourceUsage: usage),
        )
    }

    /// Freezes all processes of a container.
    @discardableResult
    public func pause(container: String) async throws(ExecError) -> ContainerControl {
        try await control(.containerPause, ContainerControlRequest(containerID: container))
    }

    /// Lets the processes of a container go on.
    @discardableResult
    public func resume(container: String) async throws(ExecError) -> ContainerControl {
        try await control(.containerResume, ContainerControlRequest(containerID: container))
    }

    /// Sends a signal to all execs of a container that run.
    @discardableResult
    public func signal(
        container: String,
        _ signal: SignalRequest,
    ) async throws(ExecError) -> ContainerControl {
        try await control(
            .containerSignal,
            ContainerSignalRequest(containerID: container, signal: signal),
        )
    }

    private func control(
        _ method: Method,
        _ request: some WireMessage,
    ) async throws(ExecError) -> ContainerControl {
        let response: ContainerControlResponse = try await unary(method, request)
        return ContainerControl(
            success: response.success,
            message: response.message,
            execs: response.execs,
        )
    }
}

/// What was done to a container.
public struct ContainerControl: Hashable, Sendable {
    /// Whether it was done.
    public var success: Bool
    /// What was done and how: "SIGSTOP to 3 groups".
    public var message: String
    /// How many execs it reached.
    public var execs: UInt32

    /// Makes an answer.
    public init(success: Bool, message: String, execs: UInt32) {
        self.success = success
        self.message = message
        self.execs = execs
    }
}
