internal import ExecClient
internal import ExecModel

// What scripts ask of processes and their streams.

extension ExecModule {
    func start(_ number: Int64, in thread: LuaThread) -> Answer {
        guard let process = usable(number) else { return .raise(closed) }
        guard process.isNew else { return .raise("the process was started already") }
        return process.begin(answering: .values([.boolean(true)]), in: thread)
    }

    func wait(_ number: Int64, in thread: LuaThread) -> Answer {
        started(number) { process in process.wait(in: thread) }
    }

    func close(_ number: Int64, force: Bool) -> Answer {
        processes[number]?.close(force: force)
        return .values([.boolean(true)])
    }

    func signal(_ number: Int64, _ signal: Int64, in thread: LuaThread) -> Answer {
        started(number) { process in
            guard (1...64).contains(signal) else {
                return .failure("\(signal) is not a signal; signals are 1 to 64")
            }
            if process.isOver { return .failure("the process has finished") }
            let (client, key) = (process.place.client, process.key)
            return perform(in: thread, "signal") { () async throws(ExecError) in
                try await client.signal(key, SignalRequest(Int32(signal)))
            }
        }
    }

    func info(_ number: Int64, in thread: LuaThread) -> Answer {
        started(number) { process in
            let (client, key) = (process.place.client, process.key)
            return scheduler.perform(in: thread, "info") {
                do throws(ExecError) {
                    return .values([LuaValue(try await client.wait(key, timeoutMS: 0)), .none])
                } catch {
                    return .failure(error.message)
                }
            }
        }
    }

    func resize(_ number: Int64, _ rows: Int64, _ columns: Int64, in thread: LuaThread) -> Answer {
        started(number) { process in
            guard process.hasTerminal else { return .failure("the process has no terminal") }
            guard !process.isOver, let session = process.input() else {
                return .failure("the process has finished")
            }
            guard let rows = UInt16(exactly: rows), let columns = UInt16(exactly: columns),
                rows > 0, columns > 0
            else { return .failure("a terminal has 1 to 65535 rows and columns") }
            let size = WindowSize(rows: UInt32(rows), columns: UInt32(columns))
            return perform(in: thread, "resize") { () async throws(ExecError) in
                try await session.resize(to: size)
            }
        }
    }

    func writeStdin(_ number: Int64, _ bytes: [UInt8], in thread: LuaThread) -> Answer {
        withInput(number, in: thread, "write_stdin") { (session) async throws(ExecError) in
            try await session.send(bytes)
        }
    }

    func closeStdin(_ number: Int64, in thread: LuaThread) -> Answer {
        withInput(number, in: thread, "close_stdin") { (session) async throws(ExecError) in
            try await session.closeStdin()
        }
    }

    private func withInput(
        _ number: Int64,
        in thread: LuaThread,
        _ what: String,
        _ body: @escaping @Sendable (Session) async throws(ExecError) -> Void,
    ) -> Answer {
        started(number) { process in
            guard process.takesStdin else {
                return .failure("the process was started without stdin")
            }
            guard !process.isOver, let session = process.input() else {
                return .failure("the process has finished")
            }
            return perform(in: thread, what) { () async throws(ExecError) in
                do throws(ExecError) {
                    try await body(session)
                } catch  where error.code == .failedPrecondition {
                    throw ExecError(error.code, "the process has finished", cause: error)
                }
            }
        }
    }

    /// The process; nil: it is closed.
    private func usable(_ number: Int64) -> ScriptProcess? {
        processes[number].flatMap { $0.isClosed ? nil : $0 }
    }

    private func started(_ number: Int64, _ body: (ScriptProcess) -> Answer) -> Answer {
        guard let process = usable(number) else { return .failure(closed) }
        guard !process.isNew else { return .failure("the process is not started") }
        return body(process)
    }

    private func perform(
        in thread: LuaThread,
        _ what: String,
        _ body: @escaping @Sendable () async throws(ExecError) -> Void,
    ) -> Answer {
        scheduler.perform(in: thread, what) {
            do throws(ExecError) {
                try await body()
                return .done
            } catch {
                return .failure(error.message)
            }
        }
    }
}

// MARK: - Streams

extension ExecModule {
    func openStream(_ number: Int64, _ stream: ExecStream) -> Answer {
        guard let process = usable(number) else { return .raise(closed) }
        guard !process.isNew else { return .raise("the process is not started") }
        if process.streams[stream] == nil { process.streams[stream] = .init() }
        return .values([])
    }

    func read(_ number: Int64, _ stream: ExecStream, max: Int64, in thread: LuaThread) -> Answer {
        // What was asked for outlives the process's own closing.
        guard let process = processes[number] else { return .failure("the stream is closed") }
        return process.read(stream, max: max > 0 ? Int(max) : .max, in: thread)
    }

    func closeStream(_ number: Int64, _ stream: ExecStream) -> Answer {
        processes[number]?.closeStream(stream)
        return .values([.boolean(true)])
    }
}

private let closed = "the process is closed"
