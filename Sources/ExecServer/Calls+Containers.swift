internal import ExecCore
internal import Kernel
internal import Wire

/// The unary calls on containers.
extension Calls {
    func status(_ request: ContainerStatusRequest, _ call: PendingCall) throws(ExecError) {
        try ExecKey.check(request.containerID, field: "container_id")
        var summary = ContainerSummary()
        // What waits keeps nothing of the message.
        var calls = self
        calls.request.payload = []
        let execs = GatheredExecs(.status(), from: registry, of: request.containerID) { info in
            summary.add(info)
            return true
        }
        try gather(execs, call) { [calls] in
            do throws(ExecError) {
                // An answer that leaves execs out would be wrong about the container.
                guard !execs.answer.isFull else { throw Self.tooManyToTell }
                let status = try summary.status(of: request.containerID)
                guard request.includeResourceUsage else {
                    return call.succeed { execs.answer.response(status, streamID: call.id) }
                }
                try calls.measure(request.containerID, call) { usage in
                    var status = status
                    status.resourceUsage = usage
                    call.succeed { execs.answer.response(status, streamID: call.id) }
                }
            } catch {
                calls.connection.fail(call.id, error)
            }
        }
    }

    private static let tooManyToTell = ExecError(
        .resourceExhausted,
        "the container's execs do not fit a message; list them with ExecList",
    )

    /// Calls `body` on the loop with what a container consumes. Each exec of it is looked at on its own
    /// loop: one such question at a time.
    private func measure(
        _ containerID: String,
        _ call: PendingCall,
        _ body: @escaping (ResourceUsage) -> Void,
    ) throws(ExecError) {
        call.open()
        let loop = connection.loop
        let bound = LoopBound(body, on: loop)
        try connection.ask(Connection.askedMax) { (answered) throws(ExecError) in
            registry.measure(containerID) { usage in
                answered()
                loop.execute { bound.value(usage) }
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
        try caller.audited(action, on: target) { (entry) throws(ExecError) in
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
