internal import ExecModel
internal import Wire

/// One publication's side of the loop. The loop's thread only.
///
/// Holds one message for each writer that waits.
final class PublishDriver: CallHandler {
    private let core: ClientCore
    private let register: Register
    private let answer: Promise<Exit>
    private var call: Call?
    private var waiting: [(message: PublishRequest, done: Promise<Void>)] = []
    /// Why nothing more can be written; nil: it can.
    private var end: ExecError?

    /// A publication that has not begun; `answer` is settled with the exit.
    init(core: ClientCore, register: Register, answer: Promise<Exit>) {
        self.core = core
        self.register = register
        self.answer = answer
    }

    /// Registers, as soon as there is a connection.
    func open() {
        let call = Call(.publish, handler: self)
        self.call = call
        core.start(call)
    }

    /// Nobody publishes any more.
    func abandon() {
        call?.abandon()
        finish(.failure(.callerCancelled))
    }

    /// Sends a message once the connection has room.
    func send(_ message: PublishRequest, done: Promise<Void>) {
        if let end { return done.settle(.failure(end)) }
        waiting.append((message, done))
        hasRoom()
    }

    /// Takes back what its writer no longer waits for.
    func cancelSend(_ done: Promise<Void>) { waiting.removeAll { $0.done === done } }

    func began(_ call: Call) {
        sendNow(.register(register))
        hasRoom()
    }

    func hasRoom() {
        while let call, call.hasRoom, !waiting.isEmpty {
            let (message, done) = waiting.removeFirst()
            sendNow(message)
            done.settle(end.map { .failure($0) } ?? .success(()))
            if case .exit = message { call.finishSending() }
        }
    }

    func response(_ payload: [UInt8]) {
        do throws(DecodeFailure) {
            finish(.success(try PublishResponse.decode(payload.span.bytes).exit))
        } catch {
            finish(.failure(ExecError(.internalError, error.message, cause: error)))
        }
    }

    func failed(_ error: ExecError) { finish(.failure(error)) }

    func lost(_ error: ExecError) { finish(.failure(error)) }

    private func sendNow(_ message: PublishRequest) {
        do throws(ExecError) {
            try call?.send(message)
        } catch {
            call?.abandon()
            finish(.failure(error))
        }
    }

    private func finish(_ result: Result<Exit, ExecError>) {
        call = nil
        let error: ExecError =
            switch result {
            case .success: ExecError(.failedPrecondition, "the publication is finished")
            case .failure(let error): error
            }
        end = end ?? error
        let failed = waiting
        waiting = []
        for entry in failed { entry.done.settle(.failure(error)) }
        answer.settle(result)
    }
}
