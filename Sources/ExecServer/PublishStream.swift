internal import ExecCore
internal import Wire

/// One Publish: registers an exec that the client runs, and feeds its output and exit in. A stream
/// that ends without an exit, however it ends, is a RUNTIME_ERROR exit: its viewers never hang.
///
/// Belongs to its connection's loop.
final class PublishStream: ServerStream {
    private enum State {
        case awaitingRegister
        case publishing(ExecInstance)
        case over
    }

    let id: UInt32
    private unowned let connection: Connection
    private var state = State.awaitingRegister

    init(id: UInt32, connection: Connection) {
        self.id = id
        self.connection = connection
    }

    func receive(_ payload: RawSpan) {
        do throws(ExecError) {
            try handle(try decode(payload))
        } catch {
            connection.fail(id, error)
        }
    }

    func halfClosed() {
        switch state {
        case .awaitingRegister:
            connection.fail(
                id,
                ExecError(.invalidArgument, "the stream ended before its Register message")
            )
        case .publishing(let instance):
            answer(giveUp(instance))
        case .over: break
        }
    }

    func ended() {
        if case .publishing(let instance) = state { giveUp(instance) }
        state = .over
    }

    private func decode(_ payload: RawSpan) throws(ExecError) -> PublishRequest {
        do throws(DecodeFailure) {
            return try PublishRequest.decode(payload)
        } catch {
            throw error.execError
        }
    }

    private func handle(_ request: PublishRequest) throws(ExecError) {
        switch (request, state) {
        case (.register(let register), .awaitingRegister):
            state = .publishing(try publish(register))
        case (.register, _):
            throw ExecError(.invalidArgument, "a stream has one Register message")
        case (_, .awaitingRegister):
            throw ExecError(.invalidArgument, "the first message must be Register")
        case (.stdout(let bytes), .publishing(let instance)):
            instance.stdout.write(bytes.span.bytes)
        case (.stderr(let bytes), .publishing(let instance)):
            instance.stderr.write(bytes.span.bytes)
        case (.exit(let exit), .publishing(let instance)):
            answer(
                instance.finish(code: exit.code, signal: exit.signal, message: exit.message)
            )
        case (_, .over):
            break
        }
    }

    private func publish(_ register: Register) throws(ExecError) -> ExecInstance {
        let target = Target.exec(container: register.containerID, exec: register.execID)
        try connection.authorize(.publish, on: target)
        return try connection.audited(.publish, on: target) { (entry) throws(ExecError) in
            let key = try ExecKey(container: register.containerID, exec: register.execID)
            try connection.context.checkStarts()
            let registry = connection.context.registry
            let instance = try registry.register(key, labels: register.labels)
            entry.tell("ok")
            return instance
        }
    }

    private func answer(_ exit: Exit) {
        state = .over
        connection.end(id, with: Frames.response(PublishResponse(exit: exit), streamID: id))
    }

    @discardableResult
    private func giveUp(_ instance: ExecInstance) -> Exit {
        instance.finish(
            Exit(
                code: 255,
                reason: .runtimeError,
                message: "its publisher went away before it told the exit",
            )
        )
    }
}
