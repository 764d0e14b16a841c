internal import Wire

extension ClientConnection {
    /// What a connection is doing, and which streams are open on it. Events in, actions out: it
    /// holds no descriptor, reads no clock, and resumes nothing.
    ///
    /// Bounded by the calls the caller makes; the server can't add to it.
    struct StateMachine {
        private var state = State.connecting
        private var streams: [UInt32: Stream] = [:]
        private var nextID: UInt32 = 1

        private enum State {
            case connecting
            case greeting(helloID: UInt32)
            case open
            case closed
        }

        private struct Stream {
            let shape: MethodShape
            /// We may still send.
            var isSending: Bool
            /// Nobody waits for it any more; whatever comes is dropped.
            var isAbandoned = false
        }
    }
}

// MARK: - What the connection learns

extension ClientConnection.StateMachine {
    /// The kinds of frame a server sends.
    enum Received {
        case response
        /// Data; with a message or without, the last one of the stream or not.
        case data(hasMessage: Bool, isLast: Bool)
        /// Of a kind this library does not know.
        case other
    }

    /// What to do with a frame.
    enum FrameAction: Equatable {
        /// It is the answer to Hello.
        case greeted
        /// It ends this call, with a value or a status.
        case response(UInt32)
        /// It is a message of this call, perhaps its last.
        case message(UInt32, thenEnd: Bool)
        /// It ends this call's messages.
        case end(UInt32)
        /// It breaks the rules for this call, which fails.
        case violation(UInt32)
        /// Nobody waits for it.
        case ignore
    }

    /// The socket is connected. Answers the id that Hello is to be sent with.
    mutating func connected() -> UInt32 {
        guard case .connecting = state else { preconditionFailure("connected twice") }
        let id = takeID()
        streams[id] = Stream(shape: .unary, isSending: false)
        state = .greeting(helloID: id)
        return id
    }

    /// The server has accepted the Hello: calls may go out.
    mutating func accepted() {
        guard case .greeting = state else { preconditionFailure("accepted before the greeting") }
        state = .open
    }

    /// Whether the socket is not connected yet.
    var isConnecting: Bool { if case .connecting = state { true } else { false } }

    /// Whether calls may go out.
    var isOpen: Bool { if case .open = state { true } else { false } }

    /// Whether it is over.
    var isClosed: Bool { if case .closed = state { true } else { false } }

    /// A frame has come.
    mutating func received(_ frame: Received, on id: UInt32) -> FrameAction {
        if case .greeting(id) = state {
            guard case .response = frame else { return .violation(id) }
            streams[id] = nil
            return .greeted
        }
        // Unknown ids are normal: data still on its way when a stream has ended.
        guard let stream = streams[id] else { return .ignore }
        switch frame {
        case .other:
            return .ignore
        case .response:
            streams[id] = nil
            return stream.isAbandoned ? .ignore : .response(id)
        case .data(let hasMessage, let isLast):
            guard stream.shape.isServerStreaming else {
                streams[id] = nil
                return stream.isAbandoned ? .ignore : .violation(id)
            }
            if isLast { streams[id] = nil }
            guard !stream.isAbandoned else { return .ignore }
            if hasMessage { return .message(id, thenEnd: isLast) }
            return isLast ? .end(id) : .ignore
        }
    }

    /// The connection is over; answers the calls that were waiting on it, the oldest first.
    mutating func lost() -> [UInt32] {
        let waiting = streams.filter { !$0.value.isAbandoned }.keys.sorted()
        streams = [:]
        state = .closed
        return waiting
    }
}

// MARK: - What the caller does

extension ClientConnection.StateMachine {
    /// A call begins; answers its id. Only on an open connection.
    mutating func begin(_ shape: MethodShape) -> UInt32 {
        precondition(isOpen, "a call on a connection that is not open")
        let id = takeID()
        streams[id] = Stream(shape: shape, isSending: shape.isClientStreaming)
        return id
    }

    /// The request could not be sent after all.
    mutating func forget(_ id: UInt32) { streams[id] = nil }

    /// Whether the client may send on this call.
    func maySend(on id: UInt32) -> Bool { streams[id]?.isSending ?? false }

    /// The client will send no more. True: a half-close has to be sent.
    mutating func finishSending(on id: UInt32) -> Bool {
        guard streams[id]?.isSending == true else { return false }
        streams[id]?.isSending = false
        return true
    }

    /// Nobody waits for this call any more. True: a half-close has to be sent.
    mutating func abandon(_ id: UInt32) -> Bool {
        streams[id]?.isAbandoned = true
        return finishSending(on: id)
    }

    /// All that is left on the connection is streams that nobody reads. There is no message that
    /// cancels a stream, so closing the connection is what tells the server.
    var hasOnlyAbandonedStreams: Bool {
        isOpen && streams.values.contains { $0.shape != .unary }
            && streams.values.allSatisfy(\.isAbandoned)
    }

    /// The next free odd id. Ids come round after two billion calls, and then may be in use.
    private mutating func takeID() -> UInt32 {
        while streams[nextID] != nil { advanceID() }
        defer { advanceID() }
        return nextID
    }

    private mutating func advanceID() {
        nextID = nextID >= UInt32(Int32.max) ? 1 : nextID + 2
    }
}

extension MethodShape {
    /// Whether the client sends messages after the request.
    fileprivate var isClientStreaming: Bool { self == .clientStream || self == .bidirectional }
    /// Whether the answer is a stream.
    fileprivate var isServerStreaming: Bool { self == .serverStream || self == .bidirectional }
}
