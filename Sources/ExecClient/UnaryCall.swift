internal import ExecModel
internal import Wire

/// A call with one answer, which it hands to whoever waits. The loop's thread only.
final class UnaryCall<Response: WireMessage>: CallHandler {
    private let promise: Promise<Response>

    /// Settles `promise` with the answer.
    init(_ promise: Promise<Response>) { self.promise = promise }

    func response(_ payload: [UInt8]) {
        do throws(DecodeFailure) {
            promise.settle(.success(try Response.decode(payload.span.bytes)))
        } catch {
            promise.settle(.failure(ExecError(.internalError, error.message, cause: error)))
        }
    }

    func failed(_ error: ExecError) { promise.settle(.failure(error)) }

    func lost(_ error: ExecError) { promise.settle(.failure(error)) }
}

extension ExecClient {
    /// Makes a unary call. A cancelled task gets CANCELLED at once; the late answer is dropped.
    func unary<Response: WireMessage>(
        _ method: Method,
        _ request: some WireMessage,
        as: Response.Type = Response.self,
    ) async throws(ExecError) -> Response {
        let payload = request.encode()
        return try await unary(method) { _ in payload }
    }

    /// As above, with a request that is made on the loop.
    func unary<Response: WireMessage>(
        _ method: Method,
        request: @escaping @Sendable (ClientCore) -> [UInt8],
    ) async throws(ExecError) -> Response {
        if Task.isCancelled { throw .callerCancelled }
        let promise = Promise<Response>()
        let isRunning = runtime.execute { core in
            core.start(Call(method, request: request(core), handler: UnaryCall(promise)))
        }
        if !isRunning { promise.settle(.failure(.clientClosed)) }
        return try await promise.value {}
    }
}
