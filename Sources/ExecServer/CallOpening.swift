internal import ExecCore
internal import Kernel
internal import Wire

/// Opens calls: looks the method up, finds out who calls, and hands the call to what serves it. To add an
/// RPC: its method in `Wire.Method`, its messages there, a case here.
struct CallOpening {
    let connection: Connection

    /// Opens the call that `request` asks for, or ends it with what is wrong.
    func open(_ request: CallRequest, id: UInt32) {
        do throws(ExecError) {
            try dispatch(request, id)
        } catch {
            connection.fail(id, error)
        }
    }

    private func dispatch(_ request: CallRequest, _ id: UInt32) throws(ExecError) {
        guard request.service.utf8.elementsEqual(ServiceName.exec.utf8),
            let method = Method(name: request.method)
        else { throw unknown(request) }
        guard let caller = try caller(of: request, method, id) else { return }
        try caller.account.checkStreams()
        try Calls(connection: connection, caller: caller, request: request, method: method, id: id)
            .open()
    }

    /// What is not there is nobody's business but an admitted peer's.
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

    /// Who makes the call; nil: its token is wrong, and its answer is on the way. A token in the call's own
    /// metadata decides, whoever the connection belongs to.
    private func caller(
        of request: CallRequest,
        _ method: Method,
        _ id: UInt32,
    ) throws(ExecError) -> Caller? {
        let token = try Authenticator.bearerToken(of: request)
        if let own = connection.caller {
            guard let token else { return own }
            return try connection.caller(presenting: token, with: method, id)
        }
        if let token { return connection.present(token: token, with: method, id) }
        if method == .hello {
            let token = try HelloRequest.decode(from: request).token
            return connection.present(token: token, with: method, id)
        }
        connection.unauthenticatedCall(of: method, Self.unauthenticated)
        throw Self.unauthenticated
    }
}

extension WireMessage {
    /// The message that came with the request.
    static func decode(from request: CallRequest) throws(ExecError) -> Self {
        do throws(DecodeFailure) {
            return try decode(request.payload.span.bytes)
        } catch {
            throw error.execError
        }
    }
}
