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
        guard request.service == ServiceName.exec else {
            throw ExecError(.unimplemented, "there is no service \(request.service)")
        }
        guard let method = Method(rawValue: request.method) else {
            throw ExecError(
                .unimplemented,
                "\(request.service) has no method \(request.method)"
            )
        }
        try admit(request, method)
        switch method.shape {
        case .unary:
            try answer(method, request, id)
        case .bidirectional:
            openStream(SessionStream(id: id, connection: connection), request)
        case .clientStream:
            openStream(PublishStream(id: id, connection: connection), request)
        case .serverStream:
            let message = try decode(ContainerLifecycleRequest.self, request)
            connection.open(try LifecycleStream(message, id: id, connection: connection))
            connection.markReady(id)
        }
    }

    private func admit(_ request: CallRequest, _ method: Method) throws(ExecError) {
        if !connection.admission.isAdmitted, let header = request.metadata("authorization"),
            let token = Authenticator.bearerToken(header)
        {
            guard connection.present(token: token) == .admitted else {
                throw ExecError(.unauthenticated, "the token is not right")
            }
        }
        guard connection.admission.isAdmitted || method == .hello else {
            throw ExecError(.unauthenticated, "call Hello with the server's token first")
        }
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
        switch method {
        case .hello:
            reply(id, try hello(try decode(HelloRequest.self, request)))
        case .execWait:
            try wait(try decode(ExecWaitRequest.self, request), pending(id, request))
        case .execList:
            reply(id, try list(try decode(ExecListRequest.self, request)))
        case .execSignal:
            try signal(try decode(ExecSignalRequest.self, request), pending(id, request))
        case .execStop:
            try stop(try decode(ExecStopRequest.self, request), pending(id, request))
        case .execRemove:
            reply(id, try remove(try decode(ExecRemoveRequest.self, request)))
        case .containerStatus:
            try status(try decode(ContainerStatusRequest.self, request), pending(id, request))
        case .containerSignal:
            try signal(try decode(ContainerSignalRequest.self, request), pending(id, request))
        case .containerPause:
            try pause(try decode(ContainerControlRequest.self, request), pending(id, request))
        case .containerResume:
            try resume(try decode(ContainerControlRequest.self, request), pending(id, request))
        case .session, .publish, .containerLifecycle:
            preconditionFailure("\(method.rawValue) is a stream")
        }
    }

    private func hello(_ request: HelloRequest) throws(ExecError) -> HelloResponse {
        if !connection.admission.isAdmitted, connection.present(token: request.token) != .admitted {
            throw ExecError(.unauthenticated, "the token is not right")
        }
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
