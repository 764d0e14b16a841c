internal import ExecModel
internal import Kernel
internal import Wire

/// One connection to a server: frames in and out of a socket, and which call each one is for.
/// The loop's thread only.
///
/// Its owner is told when it stands and when it is over; its calls are told first.
final class ClientConnection: ReadinessHandler {
    // Shared with the extension that moves the bytes, and touched by nobody else.
    let loop: EventLoop
    let address: SocketAddress
    private let tls: TLSContext?
    weak var owner: ClientCore?
    var machine = StateMachine()
    var calls: [UInt32: Call] = [:]
    var decoder = FrameDecoder()
    var unwritten = WriteBuffer()
    var socket: Socket?
    var registration: Registration?
    /// The host's addresses that are still to be tried, the best last.
    private var candidates: [SocketAddress] = []
    /// The one that the socket is connected to, or being connected to.
    private var peer: SocketAddress
    /// The socket is; a handshake may be under way.
    private var isConnected = false
    /// Runs out while the connection does not stand.
    var timer: TimerID?
    /// When bytes came last.
    var lastHeard: Instant

    /// A connection that is not connected yet.
    init(loop: EventLoop, address: SocketAddress, tls: TLSContext?, owner: ClientCore) {
        self.loop = loop
        self.address = address
        peer = address
        self.tls = tls
        self.owner = owner
        lastHeard = loop.now
    }

    /// Whether calls may be made.
    var isOpen: Bool { machine.isOpen }

    /// Begins to connect, and to authenticate after that. Within `timeout` it stands or is over; to
    /// resolve the host's name may take time besides.
    func connect(timeout: Duration) {
        do throws(SocketFailure) {
            candidates = try Sockets.resolve(address).reversed()
        } catch {
            return closeLater(ExecError(.unavailable, error.description, cause: error))
        }
        // Each time: a name may stand for something else by now.
        if let refusal = owner?.refusal(of: candidates) { return closeLater(refusal) }
        timer = loop.schedule(after: timeout) { [weak self] in
            guard let self else { return }
            close(ExecError(.unavailable, "\(address) did not answer within \(timeout)"))
        }
        connectNext(unreachable(.notFound))
    }

    /// Tries the next of the host's addresses; `error`: where there is none left.
    private func connectNext(_ error: ExecError) {
        dropSocket()
        guard let next = candidates.popLast() else { return closeLater(error) }
        peer = next
        do {
            let transport = try Transport(Sockets.connect(to: next), tls, host: address.host)
            registration = try loop.register(transport.descriptor, for: .writable, self)
            socket = Socket(transport: transport)
        } catch let failure as TLSFailure {
            closeLater(insecure(failure.message))
        } catch let failure as SocketFailure where failure.errno == .wouldBlock {
            // A Unix listener's queue is full, and the kernel has no way to say when it no longer is.
            candidates.append(next)
            loop.schedule(after: Self.queueFullDelay) { [weak self] in
                guard let self, machine.isConnecting else { return }
                connectNext(error)
            }
        } catch {
            connectNext(unreachable((error as? SocketFailure)?.errno ?? .invalid))
        }
    }

    /// Ends it; every call on it is told `error`.
    func close(_ error: ExecError) {
        guard !machine.isClosed else { return }
        let waiting = machine.lost()
        if let timer { loop.cancel(timer) }
        timer = nil
        dropSocket()
        let lost = waiting.compactMap { calls[$0] }
        calls = [:]
        // Before the calls: what they start anew needs a new connection.
        owner?.closed(self, error)
        for call in lost { call.lost(error) }
    }

    func ready(_ readiness: Readiness) {
        if machine.isConnecting { return finishConnecting() }
        if readiness.contains(.writable) { flush() }
        // A hang-up is told whatever the interest, and a read tells what it is.
        if !machine.isClosed, !readiness.subtracting(.writable).isEmpty { read() }
    }

    private func dropSocket() {
        if let registration { loop.deregister(registration) }
        registration = nil
        socket?.transport.sayEnd()
        socket = nil
        isConnected = false
    }

    /// After this turn: whoever has just made a call must not be told of its end before it returns.
    private func closeLater(_ error: ExecError) {
        loop.schedule(after: .zero) { [self] in close(error) }
    }

    private static let queueFullDelay = Duration.milliseconds(10)

    private func finishConnecting() {
        guard let registration, let socket else { return }
        if !isConnected {
            if let errno = Sockets.connectResult(socket.transport.descriptor) {
                return connectNext(unreachable(errno))
            }
            isConnected = true
            Sockets.tune(socket.transport.descriptor)
        }
        do {
            if let interest = try socket.transport.handshake() {
                return loop.update(registration, to: interest)
            }
        } catch {
            return close(insecure(error))
        }
        loop.update(registration, to: .readable)
        guard let owner else { return }
        let id = machine.connected()
        let payload = owner.hello(for: peer)
        let request = CallRequest(method: Method.hello.rawValue, payload: payload)
        do throws(ExecError) {
            write(try Frames.request(request, streamID: id))
        } catch {
            close(error)
        }
        // What came with the end of the handshake is no event any more.
        if socket.transport.isProtected, !machine.isClosed { read() }
    }
}

/// A transport that can be absent from a class: what is not copyable can't be borrowed out of an
/// optional there.
final class Socket {
    /// Closes with this.
    let transport: Transport

    init(transport: consuming Transport) { self.transport = transport }
}

// MARK: - Calls

extension ClientConnection {
    /// Sends a call's request. Only while the connection is open.
    func begin(_ call: Call) {
        let shape = call.method.shape
        let id = machine.begin(shape)
        let request = CallRequest(method: call.method.rawValue, payload: call.request)
        do throws(ExecError) {
            let frame = try Frames.request(request, streamID: id, flags: shape.requestFlags)
            calls[id] = call
            write(frame)
        } catch {
            machine.forget(id)
            return call.failed(error)
        }
        call.began(on: self, id: id)
    }

    /// Whether streams may send without waiting.
    var hasRoom: Bool { unwritten.hasRoom && isOpen }

    /// Whether the call may send messages.
    func maySend(on id: UInt32) -> Bool { machine.maySend(on: id) }

    /// Sends one message of a stream; nothing where the stream takes none (any more). Throws where
    /// the message is too large.
    func send(_ message: some WireMessage, on id: UInt32) throws(ExecError) {
        guard machine.maySend(on: id) else { return }
        write(try Frames.data(message, streamID: id))
    }

    /// Sends the half-close, once.
    func finishSending(on id: UInt32) {
        if machine.finishSending(on: id) { write(Frames.end(streamID: id)) }
    }

    /// What still comes for this call is dropped.
    func abandon(_ id: UInt32) {
        calls[id] = nil
        if machine.abandon(id) { write(Frames.end(streamID: id)) }
        closeIfUnwanted()
    }

    /// Closes once all streams that are left are abandoned, after this turn: the caller may be about
    /// to make the next call.
    func closeIfUnwanted() {
        guard machine.hasOnlyAbandonedStreams else { return }
        loop.schedule(after: .zero) { [weak self] in
            guard let self, machine.hasOnlyAbandonedStreams, allIsWritten else { return }
            close(.callerCancelled)
        }
    }
}
