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
        try ask(call) { (done) throws(ExecError) in
            try registry.status(of: request.containerID, done: done)
        }
    }

    func pause(_ request: ContainerControlRequest, _ call: PendingCall) throws(ExecError) {
        try ExecKey.check(request.containerID, field: "container_id")
        try ask(call) { (done) throws(ExecError) in
            try registry.pause(request.containerID, done: done)
        }
    }

    func resume(_ request: ContainerControlRequest, _ call: PendingCall) throws(ExecError) {
        try ExecKey.check(request.containerID, field: "container_id")
        try ask(call) { (done) throws(ExecError) in
            try registry.resume(request.containerID, done: done)
        }
    }

    func signal(_ request: ContainerSignalRequest, _ call: PendingCall) throws(ExecError) {
        try request.signal.check()
        try ExecKey.check(request.containerID, field: "container_id")
        try ask(call) { (done) throws(ExecError) in
            try registry.signal(request.containerID, request.signal, done: done)
        }
    }

    /// Keeps the call open until what `body` begins is done.
    private func ask<Answer: WireMessage & Sendable>(
        _ call: PendingCall,
        _ body: (@escaping @Sendable (Answer) -> Void) throws(ExecError) -> Void,
    ) throws(ExecError) {
        call.open()
        let loop = connection.loop
        try body { answer in loop.execute { call.succeed(answer) } }
    }
}
