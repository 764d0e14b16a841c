internal import ExecModel
internal import Kernel
internal import Wire

// The socket: bytes in, frames to calls; frames out.

extension ClientConnection {
    /// Reads what is there, once; the loop comes back while there is more.
    func read() {
        let scratch = loop.scratch
        let count: Int
        do {
            // Two steps, so that the transport is not in use while calls are told.
            guard let got = try socket?.transport.read(into: scratch) else { return }
            count = got
        } catch {
            return close(unreadable(error))
        }
        if socket?.transport.hasUnread == true {
            loop.schedule(after: .zero) { [weak self] in self?.read() }
        }
        if count == 0 { return close(broken("the server closed it")) }
        lastHeard = loop.now
        take(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: scratch[..<count])))
        closeIfUnwanted()
    }

    private func take(_ bytes: RawSpan) {
        // Taken out: whoever is told of a frame may use this connection.
        var decoder = FrameDecoder()
        swap(&decoder, &self.decoder)
        do {
            try decoder.decode(bytes) { header, payload in
                // Told of an earlier frame, somebody may have closed it.
                if !machine.isClosed { take(header, payload) }
            }
        } catch {
            return close(
                ExecError(.unavailable, "\(address) does not speak ttrpc: \(error)", cause: error),
            )
        }
        swap(&decoder, &self.decoder)
    }

    private func take(_ header: FrameHeader, _ payload: RawSpan) {
        let id = header.streamID
        if header.isOversized {
            if machine.abandon(id) { write(Frames.end(streamID: id)) }
            let message = "the server sent a message over 4 MiB"
            calls.removeValue(forKey: id)?.failed(ExecError(.resourceExhausted, message))
            return
        }
        switch machine.received(Self.kind(of: header), on: id) {
        case .ignore:
            break
        case .greeted:
            greeted(payload)
        case .message(_, let thenEnd):
            calls[id]?.message(payload)
            if thenEnd { calls.removeValue(forKey: id)?.ended() }
        case .end:
            calls.removeValue(forKey: id)?.ended()
        case .response:
            respond(payload, to: calls.removeValue(forKey: id))
        case .violation:
            let error = ExecError(.internalError, "the server sent a stream's data on a unary call")
            if let call = calls.removeValue(forKey: id) { call.failed(error) } else { close(error) }
        }
    }

    private static func kind(of header: FrameHeader) -> StateMachine.Received {
        switch header.type {
        case .response: .response
        case .data:
            .data(
                hasMessage: !header.flags.contains(.noData),
                isLast: header.flags.contains(.remoteClosed),
            )
        default: .other
        }
    }

    private func respond(_ payload: RawSpan, to call: Call?) {
        do {
            let response = try CallResponse.decode(payload)
            if let error = response.status {
                call?.failed(error)
            } else {
                call?.responded(response.payload)
            }
        } catch {
            call?.failed(ExecError(.internalError, error.message, cause: error))
        }
    }

    /// The answer to Hello: now calls may be made.
    private func greeted(_ payload: RawSpan) {
        do {
            let response = try CallResponse.decode(payload)
            if let error = response.status { return close(error) }
            _ = try HelloResponse.decode(response.payload.span.bytes)
        } catch {
            return close(ExecError(.internalError, error.message, cause: error))
        }
        if let timer { loop.cancel(timer) }
        timer = nil
        machine.accepted()
        owner?.opened(self)
    }
}

// MARK: - Out

extension ClientConnection {
    /// Writes a frame, now or when the socket takes it.
    func write(_ frame: [UInt8]) {
        guard !machine.isClosed else { return }
        let wasEmpty = unwritten.isEmpty
        unwritten.append(frame)
        // Otherwise the socket is full, and the loop will say when it is not.
        if wasEmpty { flush() }
    }

    func flush() {
        guard let socket, let registration else { return }
        let hadRoom = unwritten.hasRoom
        do {
            if try socket.transport.flush() {
                try unwritten.drain { bytes throws(TransportFailure) in
                    try socket.transport.write(bytes)
                }
            }
        } catch {
            return breakLater(broken(error.description))
        }
        loop.update(registration, to: allIsWritten ? .readable : [.readable, .writable])
        if !hadRoom, unwritten.hasRoom {
            for call in Array(calls.values) { call.roomAgain() }
        }
        closeIfUnwanted()
    }

    /// Nothing waits for the socket.
    var allIsWritten: Bool {
        unwritten.isEmpty && socket?.transport.hasUnsent != true
    }

    /// What the server sent before it closed is still to be read (an exit, a refusal), so a broken
    /// write only ends the connection once reading does; at the latest after this turn.
    private func breakLater(_ error: ExecError) {
        unwritten = WriteBuffer()
        loop.schedule(after: .zero) { [weak self] in self?.close(error) }
    }
}

// MARK: - What people are told

extension ClientConnection {
    func broken(_ why: String) -> ExecError {
        ExecError(
            .unavailable,
            "the connection to \(address) broke: \(why)",
            cause: ConnectionBroken()
        )
    }

    /// The handshake came to nothing.
    func insecure(_ failure: TransportFailure) -> ExecError {
        switch failure {
        case .tls(let failure): insecure(failure.message)
        case .cut, .system: insecure("the server broke it off; perhaps it does not speak TLS")
        }
    }

    func insecure(_ why: String) -> ExecError {
        ExecError(.unavailable, "the TLS handshake with \(address) failed: \(why)")
    }

    /// A server looks at the client's certificate when its own part of the handshake is over, so what
    /// it says of that comes in the place of an answer.
    func unreadable(_ failure: TransportFailure) -> ExecError {
        if !machine.isOpen, case .tls = failure { return insecure(failure) }
        return broken(failure.description)
    }

    /// No connection could be made.
    func unreachable(_ errno: Errno) -> ExecError {
        switch errno {
        case .connectionRefused, .notFound:
            ExecError(
                .unavailable,
                "nothing listens on \(address); start a server with: execstream serve",
                cause: errno,
            )
        case .accessDenied:
            ExecError(
                .permissionDenied,
                "\(address) may only be used by the user who runs the server, and root",
                cause: errno,
            )
        default:
            ExecError(.unavailable, "can't connect to \(address): \(errno)", cause: errno)
        }
    }
}

/// There was a connection, and it broke: unlike one that could not be made, it may come back.
struct ConnectionBroken: Error {}
