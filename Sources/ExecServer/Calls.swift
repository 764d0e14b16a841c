internal import ExecCore
internal import Kernel
internal import Wire

/// Opens calls: looks the method up, checks that the peer is known, and hands the call to what
/// serves it. To add an RPC: its method in `Wire.Method`, its messages there, a case here.
struct Calls {
    let connection: Connection

    var registry: ExecSessionRegistry { connection.context.registry }

    /// Opens the call that `request` asks for, or ends it with what is wrong.
    func open(_ request: CallRequest, id: UInt32) {
        do throws(ExecError) {
            try dispatch(request, id)
        } catch {
            connection.fail(id, error)
        }
    }

    private func dispatch(_ request: CallRequest, _ id: UInt32) throws(ExecError) {
        guard request.service == ServiceName.exec, let method = Method(rawValue: request.method)
        else { throw unknown(request) }
        guard try admit(request, method, id) else { return }
        switch method.shape {
        case .unary:
            try answer(method, request, id)
        case .bidirectional:
            openStream(SessionStream(id: id, connection: connection), request)
        case .clientStream:
            openStream(PublishStream(id: id, connection: connection), request)
        case .serverStream:
            let message = try admitted(ContainerLifecycleRequest.self, method, request)
            connection.open(try LifecycleStream(message, id: id, connection: connection))
            connection.markReady(id)
        }
    }

    /// What is not there is nobody's business but a known peer's.
    private func unknown(_ request: CallRequest) -> ExecError {
        guard connection.admission.isAdmitted else { return Self.unauthenticated }
        let isService = request.service == ServiceName.exec
        return ExecError(
            .unimplemented,
            isService
                ? "\(request.service) has no method \(request.method)"
                : "there is no service \(request.service)"
        )
    }

    private static let unauthenticated =
        ExecError(.unauthenticated, "call Hello with the server's token first")

    /// Whether the peer is known; where it has shown a wrong token, its answer is on the way.
    private func admit(
        _ request: CallRequest,
        _ method: Method,
        _ id: UInt32,
    ) throws(ExecError) -> Bool {
        if connection.admission.isAdmitted { return true }
        if let header = request.metadata("authorization"),
            let token = Authenticator.bearerToken(header)
        {
            return connection.present(token: token, with: method, id)
        }
        if method == .hello {
            let token = try decode(HelloRequest.self, request).token
            return connection.present(token: token, with: method, id)
        }
        connection.strangerCalled(method, Self.unauthenticated)
        throw Self.unauthenticated
    }

    /// A stream whose first message may ride in the request.
    private func openStream(_ stream: some ServerStream, _ request: CallRequest) {
        connection.open(stream)
        if !request.payload.isEmpty { stream.receive(request.payload.span.bytes) }
    }

    // MARK: Unary calls

    private func answer(
        _ method: Method,
        _ request: CallRequest,
        _ id: UInt32,
    ) throws(ExecError) {
        let call = { pending(id, request) }
        switch method {
        case .hello:
            reply(id, hello(try admitted(HelloRequest.self, method, request)))
        case .execWait:
            try wait(try admitted(ExecWaitRequest.self, method, request), call())
        case .execList:
            try list(try admitted(ExecListRequest.self, method, request), call())
        case .execSignal:
            try signal(try admitted(ExecSignalRequest.self, method, request), call())
        case .execStop:
            try stop(try admitted(ExecStopRequest.self, method, request), call())
        case .execRemove:
            reply(id, try remove(try admitted(ExecRemoveRequest.self, method, request)))
        case .containerStatus:
            try status(try admitted(ContainerStatusRequest.self, method, request), call())
        case .containerSignal:
            try signal(try admitted(ContainerSignalRequest.self, method, request), call())
        case .containerPause:
            try pause(try admitted(ContainerControlRequest.self, method, request), call())
        case .containerResume:
            try resume(try admitted(ContainerControlRequest.self, method, request), call())
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

    private func reply(_ id: UInt32, _ message: some WireMessage) {
        connection.end(id, with: Frames.response(message, streamID: id))
    }

    private func pending(_ id: UInt32, _ request: CallRequest) -> PendingCall {
        PendingCall(id: id, timeoutNano: request.timeoutNano, connection: connection)
    }

    /// The call's message, if the peer may ask for that.
    private func admitted<Message: Targeting>(
        _ type: Message.Type,
        _ method: Method,
        _ request: CallRequest,
    ) throws(ExecError) -> Message {
        let message = try decode(type, request)
        try connection.authorize(Action(method), on: message.target)
        return message
    }

    private func decode<Message: WireMessage>(
        _ type: Message.Type,
        _ request: CallRequest,
    ) throws(ExecError) -> Message {
        do throws(DecodeFailure) {
            return try Message.decode(request.payload.span.bytes)
        } catch {
            throw error.execError
        }
    }
}
