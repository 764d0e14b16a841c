internal import ExecModel
internal import Wire

/// What a call is about. The names are as the peer sent them, so they need not be valid.
enum Target: Sendable {
    /// No container in particular: what the peer may see of all.
    case everything
    case container(String)
    case exec(container: String, exec: String)

    var containerID: String? {
        switch self {
        case .everything: nil
        case .container(let container), .exec(let container, _): container
        }
    }

    static func exec(_ key: ExecKey) -> Target {
        .exec(container: key.containerID, exec: key.execID)
    }

    /// The field of a log line; no name is longer there than a valid one may be.
    var field: (key: String, value: String)? {
        switch self {
        case .everything: nil
        case .container(let container): ("container", Self.cut(container))
        case .exec(let container, let exec): ("exec", "\(Self.cut(container))/\(Self.cut(exec))")
        }
    }

    private static func cut(_ name: String) -> String {
        guard name.utf8.count > ExecKey.lengthMax else { return name }
        return String(decoding: name.utf8.prefix(ExecKey.lengthMax), as: UTF8.self) + "…"
    }
}

/// A message that opens a call, and says what the call is about.
protocol Targeting: WireMessage {
    var target: Target { get }
}

extension HelloRequest: Targeting { var target: Target { .everything } }

extension ExecWaitRequest: Targeting {
    var target: Target { .exec(container: containerID, exec: execID) }
}

extension ExecSignalRequest: Targeting {
    var target: Target { .exec(container: containerID, exec: execID) }
}

extension ExecStopRequest: Targeting {
    var target: Target { .exec(container: containerID, exec: execID) }
}

extension ExecRemoveRequest: Targeting {
    var target: Target { .exec(container: containerID, exec: execID) }
}

extension ExecListRequest: Targeting {
    var target: Target { containerID.isEmpty ? .everything : .container(containerID) }
}

extension ContainerLifecycleRequest: Targeting {
    var target: Target { containerID.isEmpty ? .everything : .container(containerID) }
}

extension ContainerStatusRequest: Targeting {
    var target: Target { .container(containerID) }
}

extension ContainerControlRequest: Targeting {
    var target: Target { .container(containerID) }
}

extension ContainerSignalRequest: Targeting {
    var target: Target { .container(containerID) }
}
