internal import Wire

/// What a peer may ask for, as far as roles tell it apart: the methods, and the parts of a Session.
enum Action: CaseIterable, Sendable {
    case hello
    case attach, start, stdin, closeStdin, resize, signal
    case publish
    case execWait, execList, execSignal, execStop, execRemove
    case containerLifecycle, containerStatus, containerPause, containerResume, containerSignal

    /// The role that is needed at least; nil: none is. PROTOCOL.md has this table.
    var needs: Role? {
        switch self {
        case .hello: nil
        case .attach, .execWait, .execList, .containerLifecycle, .containerStatus: .view
        case .start, .stdin, .closeStdin, .resize, .signal, .publish, .execSignal, .execStop: .run
        case .execRemove, .containerPause, .containerResume, .containerSignal: .admin
        }
    }

    /// A unary call's, or a stream's; a Session's parts are told apart by its messages.
    init(_ method: Method) {
        switch method {
        case .hello: self = .hello
        case .session: self = .attach
        case .publish: self = .publish
        case .execWait: self = .execWait
        case .execList: self = .execList
        case .execSignal: self = .execSignal
        case .execStop: self = .execStop
        case .execRemove: self = .execRemove
        case .containerLifecycle: self = .containerLifecycle
        case .containerStatus: self = .containerStatus
        case .containerPause: self = .containerPause
        case .containerResume: self = .containerResume
        case .containerSignal: self = .containerSignal
        }
    }

    /// A Session's message after its Start; nil: it concerns the client's own view alone.
    init?(_ request: SessionRequest) {
        switch request {
        case .start, .credit, .detach: return nil
        case .stdin: self = .stdin
        case .closeStdin: self = .closeStdin
        case .resize: self = .resize
        case .signal: self = .signal
        }
    }

    /// As a refusal names it, after "may not".
    var phrase: String {
        switch self {
        case .hello: "call Hello"
        case .attach: "attach by Session"
        case .start: "call Session with a command"
        case .stdin: "send stdin on a Session"
        case .closeStdin: "send close_stdin on a Session"
        case .resize: "send resize on a Session"
        case .signal: "send signal on a Session"
        case .publish: "call Publish"
        case .execWait: "call ExecWait"
        case .execList: "call ExecList"
        case .execSignal: "call ExecSignal"
        case .execStop: "call ExecStop"
        case .execRemove: "call ExecRemove"
        case .containerLifecycle: "call ContainerLifecycle"
        case .containerStatus: "call ContainerStatus"
        case .containerPause: "call ContainerPause"
        case .containerResume: "call ContainerResume"
        case .containerSignal: "call ContainerSignal"
        }
    }

    /// As an audit line names it.
    var verb: String {
        switch self {
        case .hello: "hello"
        case .attach: "attach"
        case .start: "start"
        case .stdin: "stdin"
        case .closeStdin: "close_stdin"
        case .resize: "resize"
        case .signal, .execSignal, .containerSignal: "signal"
        case .publish: "publish"
        case .execWait: "wait"
        case .execList: "list"
        case .execStop: "stop"
        case .execRemove: "remove"
        case .containerLifecycle: "events"
        case .containerStatus: "status"
        case .containerPause: "pause"
        case .containerResume: "resume"
        }
    }
}
