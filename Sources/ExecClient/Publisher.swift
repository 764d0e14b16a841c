public import ExecModel
internal import Wire

/// Registers an exec that runs here or elsewhere, and feeds its output and its end to a server.
///
/// What is written waits for the connection, so a publisher holds at most a message per writer. A
/// connection that breaks ends the publication: the server makes that a RUNTIME_ERROR exit, and every
/// call here fails with UNAVAILABLE. A publisher that is let go of without ``finish(code:signal:message:)``
/// ends the same way.
public final class Publisher: Sendable {
    /// The exec.
    public let key: ExecKey
    private let runtime: ClientRuntime
    private let driver: Promised<PublishDriver>
    private let answer: Promise<Exit>

    /// Begins at once.
    init(_ key: ExecKey, labels: [String: String], runtime: ClientRuntime) {
        self.key = key
        self.runtime = runtime
        let answer = Promise<Exit>()
        let driver = Promised<PublishDriver>()
        self.answer = answer
        self.driver = driver
        let register = Register(containerID: key.containerID, execID: key.execID, labels: labels)
        let isRunning = runtime.execute { core in
            let made = PublishDriver(core: core, register: register, answer: answer)
            driver.set(made, on: core.loop)
            made.open()
        }
        if !isRunning { answer.settle(.failure(.clientClosed)) }
    }

    deinit {
        let driver = driver
        runtime.execute { core in driver.value(on: core.loop)?.abandon() }
    }

    /// Publishes output. Returns when all of it has been handed to the connection. Throws what the
    /// server said where it has refused the exec: ALREADY_EXISTS where there is one of that name.
    public func write(_ bytes: [UInt8], to stream: ExecStream) async throws(ExecError) {
        for start in stride(from: 0, to: bytes.count, by: Self.messageBytesMax) {
            let part = Array(bytes[start..<min(start + Self.messageBytesMax, bytes.count)])
            try await send(stream == .stdout ? .stdout(part) : .stderr(part))
        }
    }

    /// Publishes the end, and answers the exit that everybody is told. Once, after the last write.
    /// The code is 0–255, the signal the one that killed it or 0, and the message for people. With a
    /// signal n the code is 128+n, or 0, which stands for that. INVALID_ARGUMENT: they are not so, and
    /// nothing was sent.
    public func finish(
        code: Int32,
        signal: Int32 = 0,
        message: String = "",
    ) async throws(ExecError) -> Exit {
        let code = try ExitStatus.checkedCode(code, signal: signal, in: "PublishedExit")
        try await send(.exit(PublishedExit(code: code, signal: signal, message: message)))
        let driver = driver
        return try await answer.value { [runtime] in
            runtime.execute { core in driver.value(on: core.loop)?.abandon() }
        }
    }

    private func send(_ message: PublishRequest) async throws(ExecError) {
        if Task.isCancelled { throw .callerCancelled }
        let done = Promise<Void>()
        let driver = driver
        let isRunning = runtime.execute { core in
            driver.value(on: core.loop)?.send(message, done: done)
        }
        if !isRunning { done.settle(.failure(.clientClosed)) }
        try await done.value { [runtime] in
            runtime.execute { core in driver.value(on: core.loop)?.cancelSend(done) }
        }
    }

    private static let messageBytesMax = 64 << 10
}

extension ExecClient {
    /// Registers an exec that somebody else runs. Begins at once; a refusal is told by the
    /// publisher's calls.
    public func publish(_ key: ExecKey, labels: [String: String] = [:]) -> Publisher {
        Publisher(key, labels: labels, runtime: runtime)
    }
}
