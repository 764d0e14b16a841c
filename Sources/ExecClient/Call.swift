internal import ExecModel
internal import Wire

/// One call: a method, its request, and who hears of it. The loop's thread only.
final class Call {
    /// What is called.
    let method: Method
    /// The request's payload: the one message, or nothing for a call that streams messages.
    let request: [UInt8]
    private var place = Place.waiting
    private var handler: (any CallHandler)?

    private enum Place {
        /// For a connection.
        case waiting
        /// On its way.
        case open(ClientConnection, id: UInt32)
        /// Nothing more happens.
        case over
    }

    /// Describes a call; the core makes it.
    init(_ method: Method, request: [UInt8] = [], handler: any CallHandler) {
        self.method = method
        self.request = request
        self.handler = handler
    }

    /// Whether it still goes on.
    var isOver: Bool { if case .over = place { true } else { false } }

    /// Whether messages may be sent now without more than the buffer's bound waiting.
    var hasRoom: Bool {
        guard case .open(let connection, let id) = place else { return false }
        return connection.hasRoom && connection.maySend(on: id)
    }

    /// Sends one message of the stream; nothing where the call takes none (any more). Throws where
    /// the message is too large to send.
    func send(_ message: some WireMessage) throws(ExecError) {
        guard case .open(let connection, let id) = place else { return }
        try connection.send(message, on: id)
    }

    /// Tells the server that no more messages come.
    func finishSending() {
        if case .open(let connection, let id) = place { connection.finishSending(on: id) }
    }

    /// Nobody waits for it any more. The server is told by a half-close, and what it still sends is
    /// dropped.
    func abandon() {
        let place = place
        end()
        if case .open(let connection, let id) = place { connection.abandon(id) }
    }
}

// MARK: - For the connection

extension Call {
    /// The request has been written.
    func began(on connection: ClientConnection, id: UInt32) {
        place = .open(connection, id: id)
        handler?.began(self)
    }

    func message(_ payload: RawSpan) { handler?.message(payload) }

    func roomAgain() { handler?.hasRoom() }

    func responded(_ payload: [UInt8]) { end()?.response(payload) }

    func ended() { end()?.ended() }

    func failed(_ error: ExecError) { end()?.failed(error) }

    func lost(_ error: ExecError) { end()?.lost(error) }

    /// Lets go of the handler, which holds the call in turn.
    @discardableResult
    private func end() -> (any CallHandler)? {
        place = .over
        return handler.take()
    }
}
