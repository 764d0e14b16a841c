package import ExecModel

/// A container, summed up from its execs one by one. A value.
package struct ContainerSummary {
    private var states: Set<ExecState> = []
    private var startedUnixNS: Int64 = 0
    /// Of the exec that ended last.
    private var lastExit: Exit?

    /// Of no exec.
    package init() {}

    /// Takes an exec in.
    package mutating func add(_ exec: ExecInfo) {
        states.insert(exec.state)
        let started = exec.startedUnixNS
        if started > 0, startedUnixNS == 0 || started < startedUnixNS { startedUnixNS = started }
        guard let exit = exec.exit else { return }
        if exit.finishedUnixNS >= lastExit?.finishedUnixNS ?? .min { lastExit = exit }
    }

    /// The container without its execs; throws NOT_FOUND where it has none.
    package func status(of containerID: String) throws(ExecError) -> ContainerStatus {
        guard !states.isEmpty else {
            throw ExecError(.notFound, "there is no container \(containerID)")
        }
        var status = ContainerStatus(containerID: containerID, state: state)
        status.startedUnixNS = startedUnixNS
        if state == .exited {
            status.exit = lastExit
            status.finishedUnixNS = lastExit?.finishedUnixNS ?? 0
        }
        return status
    }

    private var state: ContainerState {
        if states.contains(.running) { return .running }
        if states.contains(.paused) { return .paused }
        if states == [.exited] { return .exited }
        return .created
    }
}

extension ExecSessionRegistry {
    /// A container with all its execs; throws NOT_FOUND where none is known.
    package func status(of containerID: String) throws(ExecError) -> ContainerStatus {
        let execs = instances(of: containerID).map { $0.info }
        var summary = ContainerSummary()
        for exec in execs { summary.add(exec) }
        var status = try summary.status(of: containerID)
        status.execs = execs
        return status
    }
}
