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
        try await unary(.containerPause, ContainerControlRequest(containerID: container))
    }

    /// Lets the processes of a container go on.
    @discardableResult
    public func resume(container: String) async throws(ExecError) -> ContainerControl {
        try await unary(.containerResume, ContainerControlRequest(containerID: container))
    }

    /// Sends a signal to all execs of a container that run.
    @discardableResult
    public func signal(
        container: String,
        _ signal: SignalRequest,
    ) async throws(ExecError) -> ContainerControl {
        try await unary(
            .containerSignal,
            ContainerSignalRequest(containerID: container, signal: signal),
        )
    }
}
