/// The service's name in a request.
package enum ServiceName {
    /// The only one.
    package static let exec = "execstream.v1.Exec"
}

/// The service's methods. Raw values are the names in a request.
package enum Method: String, Hashable, Sendable, CaseIterable {
    case hello = "Hello"
    case session = "Session"
    case publish = "Publish"
    case execWait = "ExecWait"
    case execList = "ExecList"
    case execSignal = "ExecSignal"
    case execStop = "ExecStop"
    case execRemove = "ExecRemove"
    case containerLifecycle = "ContainerLifecycle"
    case containerStatus = "ContainerStatus"
    case containerPause = "ContainerPause"
    case containerResume = "ContainerResume"
    case containerSignal = "ContainerSignal"

    /// The method of this name, compared by bytes; nil: there is none.
    package init?(name: String) {
        let method = Method.allCases.first { $0.rawValue.utf8.elementsEqual(name.utf8) }
        guard let method else { return nil }
        self = method
    }

    /// How its messages go. This decides a call's shape, not the flags of its request.
    package var shape: MethodShape {
        switch self {
        case .session: .bidirectional
        case .publish: .clientStream
        case .containerLifecycle: .serverStream
        case .hello, .execWait, .execList, .execSignal, .execStop, .execRemove, .containerStatus,
            .containerPause, .containerResume, .containerSignal:
            .unary
        }
    }
}

/// How a call's messages go.
package enum MethodShape: Hashable, Sendable {
    /// One there, one back.
    case unary
    /// One there, many back.
    case serverStream
    /// Many there, one back.
    case clientStream
    /// Many there, many back.
    case bidirectional

    /// What a client's request says about the messages that follow it.
    package var requestFlags: FrameFlags {
        switch self {
        case .unary: []
        case .serverStream: .remoteClosed
        case .clientStream, .bidirectional: .remoteOpen
        }
    }
}
