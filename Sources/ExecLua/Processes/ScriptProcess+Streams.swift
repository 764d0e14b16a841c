internal import ExecModel

extension ScriptProcess {
    /// `read`: what is there, or what comes next; at most `max` bytes.
    func read(_ stream: ExecStream, max: Int, in thread: LuaThread) -> Answer {
        guard let state = streams[stream], !state.isClosed else {
            return .failure("the stream is closed")
        }
        guard state.reader == nil, !state.isFollowing else {
            return .failure("another coroutine reads this stream")
        }
        switch output.take(stream, max: max) {
        case .bytes(let bytes):
            pump()
            settle()
            return .values([.bytes(bytes)])
        case .behind(let sequence):
            return follow(stream, after: sequence, max: max, in: thread)
        case .nothing:
            if case .over(let result) = phase { return result.endOfStream }
            let waiter = scheduler.suspend(in: thread, "read")
            streams[stream]?.reader = (waiter, max)
            pump()
            return .suspend
        }
    }

    /// Gives a coroutine that waits what has come.
    func serve(_ stream: ExecStream) {
        guard let (waiter, max) = streams[stream]?.reader else { return }
        let answer: Answer
        if case .bytes(let bytes) = output.take(stream, max: max) {
            answer = .values([.bytes(bytes)])
        } else if case .over(let result) = phase {
            answer = result.endOfStream
        } else {
            return
        }
        streams[stream]?.reader = nil
        scheduler.resume(waiter, answer)
    }

    /// `close` of a stream. What comes of it is dropped; one who waits for it is told.
    func closeStream(_ stream: ExecStream) {
        guard let state = streams[stream], !state.isClosed else {
            return isForgotten ? output.close(stream) : ()
        }
        output.close(stream)
        state.follower?.close()
        streams[stream] = StreamState(isClosed: true)
        if let (waiter, _) = state.reader {
            scheduler.resume(waiter, .failure("the stream is closed"))
        }
        pump()
        settle()
    }

    /// Reads from the server's log.
    private func follow(
        _ stream: ExecStream,
        after sequence: UInt64,
        max: Int,
        in thread: LuaThread,
    ) -> Answer {
        let follower =
            streams[stream]?.follower
            ?? Follower(key, stream, after: sequence, client: place.client)
        streams[stream]?.follower = follower
        streams[stream]?.isFollowing = true
        return scheduler.perform(in: thread, "read") { [self] in
            let result: Result<ArraySlice<UInt8>, ExecError>
            do throws(ExecError) {
                result = .success(try await follower.next(max: max))
            } catch {
                result = .failure(error)
            }
            guard streams[stream]?.isClosed == false else {
                return .failure("the stream is closed")
            }
            streams[stream]?.isFollowing = false
            settle()
            switch result {
            case .success(let bytes): return bytes.isEmpty ? .endOfStream : .values([.bytes(bytes)])
            case .failure(let error): return .failure(error.message)
            }
        }
    }
}

extension Answer {
    /// `nil, nil`.
    static var endOfStream: Answer { .values([.none, .none]) }
}

extension Result where Success == Exit, Failure == ExecError {
    /// What `wait` gives.
    var waited: Answer {
        switch self {
        case .success(let exit): .values([.integer(Int64(exit.code)), .none, LuaValue(exit)])
        case .failure(let error): .failure(error.message)
        }
    }

    /// What `read` gives when nothing more comes.
    var endOfStream: Answer {
        switch self {
        case .success: .endOfStream
        case .failure(let error): .failure(error.message)
        }
    }

    /// What `start` raises.
    var startFailure: String {
        switch self {
        case .success(let exit): exit.message
        case .failure(let error): error.message
        }
    }
}
