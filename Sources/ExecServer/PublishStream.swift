internal import ExecCore
internal import ExecModel
internal import Wire

/// One Publish: registers an exec that the client runs, and feeds its output and exit in. A stream
/// that ends without an exit, however it ends, is a RUNTIME_ERROR exit: its viewers never hang.
///
/// Small messages that arrive together are written together: what a publisher's output costs follows from
/// its bytes, not from how many messages it cuts them into. Bounded by a chunk, and by one read of the
/// connection.
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
    private let caller: Caller
    private var state = State.awaitingRegister
    /// Bytes of one stream that are not written yet.
    private var pending: [UInt8] = []
    private var pendingStream = ExecStream.stdout
    /// The connection knows that it has some.
    private var isListed = false
    /// A message with as many bytes is written without being copied first.
    private static let gatheredBytesMax = 4 << 10

    init(id: UInt32, connection: Connection, caller: Caller) {
        self.id = id
        self.connection = connection
        self.caller = caller
    }

    func receive(_ payload: RawSpan) {
        if caller.isStale { reviewRights() }
        if case .over = state { return }
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
            writeOut()
            answer(giveUp(instance))
        case .over: break
        }
    }

    func reviewRights() {
        guard case .publishing(let instance) = state else { return }
        do throws(ExecError) {
            try caller.authorize(.publish, on: .exec(instance.key))
        } catch {
            connection.fail(id, error)
        }
    }

    func ended() {
        if case .publishing(let instance) = state {
            writeOut()
            giveUp(instance)
        }
        state = .over
    }

    /// Nothing more has arrived with what was gathered.
    func hasHeardAll() {
        isListed = false
        writeOut()
    }

    private func writeOut() {
        guard !pending.isEmpty, case .publishing(let instance) = state else { return }
        instance.writer(of: pendingStream).write(pending.span.bytes)
        // Most publishers are silent most of the time.
        pending.removeAll(keepingCapacity: false)
    }

    private func gather(_ bytes: [UInt8], of stream: ExecStream, in instance: ExecInstance) {
        let isToBeGathered = bytes.count <= Self.gatheredBytesMax
        let chunkBytesMax = connection.context.registry.configuration.chunkBytesMax
        if stream != pendingStream || !isToBeGathered || pending.count + bytes.count > chunkBytesMax
        {
            writeOut()
        }
        guard isToBeGathered else { return instance.writer(of: stream).write(bytes.span.bytes) }
        pendingStream = stream
        pending += bytes
        guard !isListed else { return }
        isListed = true
        connection.unwritten.append(self)
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
            gather(bytes, of: .stdout, in: instance)
        case (.stderr(let bytes), .publishing(let instance)):
            gather(bytes, of: .stderr, in: instance)
        case (.exit(let exit), .publishing(let instance)):
            let code = try ExitStatus.checkedCode(
                exit.code,
                signal: exit.signal,
                in: "PublishedExit",
            )
            writeOut()
            answer(instance.finish(code: code, signal: exit.signal, message: exit.message))
        case (_, .over):
            break
        }
    }

    private func publish(_ register: Register) throws(ExecError) -> ExecInstance {
        let target = Target.exec(container: register.containerID, exec: register.execID)
        try caller.authorize(.publish, on: target)
        return try caller.audited(.publish, on: target) { (entry) throws(ExecError) in
            let key = try ExecKey(container: register.containerID, exec: register.execID)
            try connection.context.checkStarts()
            let registry = connection.context.registry
            let charge = try caller.account.chargeExec(bytes: register.labels.bytesKept)
            let instance = try registry.register(key, labels: register.labels)
            instance.keep(charge)
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

extension ExecInstance {
    fileprivate func writer(of stream: ExecStream) -> ExecWriter {
        switch stream {
        case .stdout: stdout
        case .stderr: stderr
        }
    }
}
