internal import ExecModel
internal import Kernel
internal import Wire

/// The client's side of the loop: one connection, made when a call needs it, made again when a call
/// needs it after a break. The loop's thread only.
final class ClientCore {
    /// Whose thread it is.
    let loop: EventLoop
    private let address: SocketAddress
    /// Nil: connections are plain.
    private let tls: TLSContext?
    private let options: ClientOptions
    private let token: ClientToken
    private var connection: ClientConnection?
    /// Calls that wait for the connection to stand, the oldest first.
    private var waiting: [Call] = []
    /// Calls whose time has not come; at most one for each session and subscription.
    private var delayed: [Call] = []
    private var isClosed = false

    /// Nothing is connected yet.
    init(
        loop: EventLoop,
        address: SocketAddress,
        tls: TLSContext?,
        token: ClientToken,
        options: ClientOptions,
    ) {
        self.loop = loop
        self.address = address
        self.tls = tls
        self.token = token
        self.options = options
    }

    /// Makes a call: now, or once a connection stands.
    func start(_ call: Call) {
        if isClosed { return call.lost(.clientClosed) }
        if let connection, connection.isOpen { return connection.begin(call) }
        waiting.append(call)
        if connection == nil { connect() }
    }

    /// As above, but not before `delay`. The call is told at once where the client is closed meanwhile.
    func start(_ call: Call, after delay: Duration?) {
        guard let delay, !isClosed else { return start(call) }
        delayed.append(call)
        loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            delayed.removeAll { $0 === call }
            if !call.isOver { start(call) }
        }
    }

    /// The payload of a Hello on a connection that has been let in. It needs no token.
    var hello: [UInt8] { HelloRequest(client: options.clientName, token: "").encode() }

    /// The payload of the first Hello on a connection to `peer`, an address in numbers.
    func hello(for peer: SocketAddress) -> [UInt8] {
        HelloRequest(client: options.clientName, token: token.value(for: peer)).encode()
    }

    /// Why no connection may be made to these addresses, which the server's address stands for; nil: it
    /// may.
    func refusal(of candidates: [SocketAddress]) -> ExecError? {
        if tls != nil || options.allowsInsecureTCP { return nil }
        return token.refusal(of: candidates, for: address)
    }

    /// How long a session tries to come back after a break.
    var resumeLimit: Duration { options.resumeLimit }

    /// Ends the connection and all calls; no call is made any more.
    func close() {
        isClosed = true
        connection?.close(.clientClosed)
        waiting += delayed
        delayed = []
        failWaiting(.clientClosed)
    }

    /// The server has not answered where it should have. A connection on which nothing at all has come
    /// for so long is taken for broken.
    func distrust(silence: Duration) {
        guard let connection, connection.isOpen, loop.now - connection.lastHeard >= silence
        else { return }
        connection.close(connection.broken("the server said nothing for \(silence)"))
    }

    private func connect() {
        let connection = ClientConnection(loop: loop, address: address, tls: tls, owner: self)
        self.connection = connection
        connection.connect(timeout: options.connectTimeout)
    }

    private func failWaiting(_ error: ExecError) {
        let failed = waiting
        waiting = []
        for call in failed where !call.isOver { call.lost(error) }
    }
}

// MARK: - For the connection

extension ClientCore {
    /// The server has accepted the Hello.
    func opened(_ connection: ClientConnection) {
        let ready = waiting
        waiting = []
        for call in ready where !call.isOver {
            // A call's first message may break the connection, and its error then reaches the rest.
            if connection.isOpen { connection.begin(call) } else { start(call) }
        }
    }

    /// The connection is over; its own calls have been told.
    func closed(_ connection: ClientConnection, _ error: ExecError) {
        guard self.connection === connection else { return }
        self.connection = nil
        failWaiting(error)
    }
}
