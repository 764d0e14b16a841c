internal import ExecCore
internal import Kernel
internal import Wire

/// One call, once its caller is known: whether it is allowed, and what serves it.
struct Calls {
    let connection: Connection
    let caller: Caller
    var request: CallRequest
    let method: Method
    let id: UInt32

    var registry: ExecSessionRegistry { connection.context.registry }

    func open() throws(ExecError) {
        switch method.shape {
        case .unary:
            try answer()
        case .bidirectional:
            openStream(SessionStream(id: id, connection: connection, caller: caller))
        case .clientStream:
            openStream(PublishStream(id: id, connection: connection, caller: caller))
        case .serverStream:
            let message = try admitted(ContainerLifecycleRequest.self)
            let stream = try LifecycleStream(
                message,
                id: id,
                connection: connection,
                caller: caller
            )
            connection.open(stream, by: caller)
            connection.markReady(id)
        }
    }

    /// A stream whose first message may ride in the request.
    private func openStream(_ stream: some ServerStream) {
        connection.open(stream, by: caller)
        if !request.payload.isEmpty { stream.receive(request.payload.span.bytes) }
    }

    // MARK: Unary calls

    private func answer() throws(ExecError) {
        switch method {
        case .hello: reply(hello(try admitted(HelloRequest.self)))
        case .execWait: try later(ExecWaitRequest.self, wait)
        case .execList: try later(ExecListRequest.self, list)
        case .execSignal: try later(ExecSignalRequest.self, signal)
        case .execStop: try later(ExecStopRequest.self, stop)
        case .execRemove: reply(try remove(try admitted(ExecRemoveRequest.self)))
        case .containerStatus: try later(ContainerStatusRequest.self, status)
        case .containerSignal: try later(ContainerSignalRequest.self, signal)
        case .containerPause: try later(ContainerControlRequest.self, pause)
        case .containerResume: try later(ContainerControlRequest.self, resume)
        case .session, .publish, .containerLifecycle:
            preconditionFailure("\(method.rawValue) is a stream")
        }
    }

    private func hello(_ request: HelloRequest) -> HelloResponse {
        let context = connection.context
        context.log.debug("hello", ["peer": connection.peer, "client": request.client])
        return HelloResponse(
            server: context.options.serverName,
            protocolVersion: 1,
            features: ["process", "publish", "tty"],
            chunkBytesMax: UInt32(clamping: registry.configuration.chunkBytesMax),
        )
    }

    private func reply(_ message: some WireMessage) {
        connection.end(id, with: Frames.response(message, streamID: id))
    }

    /// A call that may be answered later, if the caller may make it.
    private func later<Message: Targeting>(
        _ type: Message.Type,
        _ body: (Message, PendingCall) throws(ExecError) -> Void,
    ) throws(ExecError) {
        let message = try admitted(type)
        let call = PendingCall(
            id: id,
            timeoutNano: request.timeoutNano,
            connection: connection,
            caller: caller,
            right: (Action(method), message.target),
        )
        try body(message, call)
    }

    /// The call's message, if the caller may ask for that.
    private func admitted<Message: Targeting>(_ type: Message.Type) throws(ExecError) -> Message {
        let message = try Message.decode(from: request)
        try caller.authorize(Action(method), on: message.target)
        return message
    }
}
