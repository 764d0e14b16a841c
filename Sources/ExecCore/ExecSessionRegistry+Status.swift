package import ExecModel

extension ExecSessionRegistry {
    /// A container, summed up from its execs; throws NOT_FOUND where none is known.
    package func status(of containerID: String) throws(ExecError) -> ContainerStatus {
        let execs = instances(of: containerID).map { $0.info }
        guard !execs.isEmpty else {
            throw ExecError(.notFound, "there is no container \(containerID)")
        }
        var status = ContainerStatus(
            containerID: containerID,
            state: Self.state(of: execs),
            execs: execs
        )
        status.startedUnixNS = execs.map(\.startedUnixNS).filter { $0 > 0 }.min() ?? 0
        if status.state == .exited {
            let last = execs.compactMap(\.exit).max { $0.finishedUnixNS < $1.finishedUnixNS }
            status.exit = last
            status.finishedUnixNS = last?.finishedUnixNS ?? 0
        }
        return status
    }

    private static func state(of execs: [ExecInfo]) -> ContainerState {
        let states = Set(execs.map(\.state))
        if states.contains(.running) { return .running }
        if states.contains(.paused) { return .paused }
        if states == [.exited] { return .exited }
        return .created
    }
}
