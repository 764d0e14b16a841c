internal import ExecCore
internal import Kernel
internal import Wire

/// The unary calls on containers.
extension Calls {
    func status(_ request: ContainerStatusRequest, _ call: PendingCall) throws(ExecError) {
        try ExecKey.check(request.containerID, field: "container_id")
        guard request.includeResourceUsage else {
            return call.succeed(try registry.status(of: request.containerID))
        }
        // Each exec of it is looked at on its own loop, and the answer is large: one at a time.
        try connection.ask(Connection.askedMax) { (answered) throws(ExecError) in
            try ask(call, telling: { _ in answered() }) { (done) throws(ExecError) in
                try registry.status(of: request.containerID, done: done)
            }
        }
    }

    func pause(_ request: ContainerControlRequest, _ call: PendingCall) throws(ExecError) {
        try change(.containerPause, request.target, call) { (done) throws(ExecError) in
            try registry.pause(request.containerID, done: done)
        }
    }

    func resume(_ request: ContainerControlRequest, _ call: PendingCall) throws(ExecError) {
        try change(.containerResume, request.target, call) { (done) throws(ExecError) in
            try registry.resume(request.containerID, done: done)
        }
    }

    func signal(_ request: ContainerSignalRequest, _ call: PendingCall) throws(ExecError) {
        try change(.containerSignal, request.target, call) { (done) throws(ExecError) in
            try request.signal.check()
            try registry.signal(request.containerID, request.signal, done: done)
        }
    }

    /// As `ask`, of what is done to a container: that is written down.
    private func change(
        _ action: Action,
        _ target: Target,
        _ call: PendingCall,
        _ body: (@escaping @Sendable (ContainerControl) -> Void) throws(ExecError) -> Void,
    ) throws(ExecError) {
        try connection.audited(action, on: target) { (entry) throws(ExecError) in
            try ExecKey.check(target.containerID ?? "", field: "container_id")
            try ask(call, telling: { entry.tell($0.success ? "ok" : "partly") }, body)
        }
    }

    /// Keeps the call open until what `body` begins is done.
    private func ask<Answer: WireMessage & Sendable>(
        _ call: PendingCall,
        telling tell: @escaping @Sendable (Answer) -> Void = { _ in },
        _ body: (@escaping @Sendable (Answer) -> Void) throws(ExecError) -> Void,
    ) throws(ExecError) {
        call.open()
        let loop = connection.loop
        try body { answer in
            tell(answer)
            loop.execute { call.succeed(answer) }
        }
    }
}
