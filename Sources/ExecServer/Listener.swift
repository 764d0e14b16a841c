internal import ExecCore
internal import ExecModel
internal import Kernel

/// One listening socket: accepts on its own loop, hands connections to all loops in turn.
///
/// Where descriptors are used up it pauses, says so once each time, and comes back by itself: clients
/// wait in the backlog meanwhile.
final class Listener: ReadinessHandler, @unchecked Sendable {
    // Unchecked: what changes is touched on `loop` only.
    let address: SocketAddress
    private let loop: EventLoop
    private let context: ServerContext
    private let authenticator: Authenticator
    private let nextLoop: @Sendable () -> EventLoop
    private var socket: Descriptor?
    private var registration: Registration?
    private var isPaused = false

    /// Connections accepted in one turn of the loop.
    private static let acceptsMax = 64
    private static let pauseTime = Duration.milliseconds(500)

    init(
        _ listening: consuming Listening,
        authenticator: Authenticator,
        context: ServerContext,
        loop: EventLoop,
        nextLoop: @escaping @Sendable () -> EventLoop,
    ) {
        address = listening.address
        socket = listening.takeDescriptor()
        self.authenticator = authenticator
        self.context = context
        self.loop = loop
        self.nextLoop = nextLoop
    }

    /// Starts to accept. Not on the loop; once.
    func begin() throws(Errno) {
        try loop.perform { [self] () throws(Errno) in
            registration = try socket.lend { (socket) throws(Errno) in
                try loop.register(socket, for: .readable, self)
            }
        }
    }

    /// Stops listening; who is in the backlog is refused. `done` is called when the socket is
    /// closed. From any thread.
    func close(_ done: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            if let registration { loop.deregister(registration) }
            registration = nil
            socket.take()?.close()
            if case .unix(let path) = address { try? Files.remove(path) }
            done()
        }
    }

    func ready(_ readiness: Readiness) {
        do throws(Errno) {
            for _ in 0..<Self.acceptsMax {
                guard
                    let accepted = try socket.lend({ (socket) throws(Errno) in
                        try Sockets.accept(socket)
                    }) ?? nil
                else {
                    isPaused = false
                    return
                }
                admit(accepted)
            }
        } catch {
            pause(error)
        }
    }

    private func admit(_ socket: consuming Descriptor) {
        Sockets.tune(socket, silence: context.options.keepaliveTime)
        let peer = Sockets.peerName(socket)
        let network = PeerNetwork(ofPeer: peer)
        var grant: Grant?
        if case .unix = address {
            let credentials = try? Sockets.peerCredentials(socket)
            grant = credentials.flatMap { authenticator.grant(to: $0) }
            guard grant != nil else { return refuse(peer, network, credentials) }
        }
        let transport: Transport
        do throws(TLSFailure) {
            // The socket itself says who is on a Unix one, and nobody else reads it.
            transport = try Transport(socket, grant == nil ? context.tls.context : nil)
        } catch {
            return context.limitedLog.write(about: network, on: loop) {
                context.log.error("TLS can't begin", ["peer": peer, "error": "\(error)"])
            }
        }
        let connectionLoop = nextLoop()
        let connection = Connection(
            transport,
            peer: peer,
            network: network,
            isAdmitted: grant != nil,
            authenticator: authenticator,
            context: context,
            loop: connectionLoop,
        )
        place(connection, grant, on: connectionLoop)
    }

    private func place(_ connection: Connection, _ grant: Grant?, on loop: EventLoop) {
        switch context.add(connection, from: grant == nil ? .tcp(connection.network) : .unix) {
        case .placed(let displaced):
            loop.execute { connection.begin(grant) }
            if let displaced { displaced.loop.execute { displaced.makeWay() } }
        case .refused:
            let error = ExecError(
                .resourceExhausted,
                "the server has \(context.options.connectionsMax) connections of this kind, "
                    + "the most it may have"
            )
            loop.execute { connection.turnAway(error) }
        }
    }

    private func refuse(_ peer: String, _ network: PeerNetwork, _ credentials: PeerCredentials?) {
        context.limitedLog.write(about: network, on: loop) {
            context.log.warning("refused: another user", ["peer": peer])
            let name = credentials.map { "uid:\($0.uid)" } ?? "unknown"
            context.audit.entry(.hello, .everything, by: name, from: peer)
                .tell(ExecError(.permissionDenied, "another user"))
        }
    }

    private func pause(_ error: Errno) {
        guard let registration else { return }
        if !isPaused { context.log.error("accepting is paused", ["error": "\(error)"]) }
        isPaused = true
        loop.update(registration, to: [])
        loop.schedule(after: Self.pauseTime) { [weak self] in
            guard let self, let registration = self.registration else { return }
            loop.update(registration, to: .readable)
        }
    }
}
