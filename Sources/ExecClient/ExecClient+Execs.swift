public import ExecModel
internal import Wire

// Unary calls on execs. Each throws the server's status; UNAVAILABLE: no connection could be made,
// or it broke before the answer, and whether the server did anything is not known. A cancelled task
// gets CANCELLED at once, and the connection stays usable.

extension ExecClient {
    /// What the server is; connects if need be.
    public func server() async throws(ExecError) -> ServerInfo {
        let hello: HelloResponse = try await unary(.hello) { $0.hello }
        return ServerInfo(
            name: hello.server,
            protocolVersion: hello.protocolVersion,
            features: hello.features,
            chunkBytesMax: hello.chunkBytesMax,
        )
    }

    /// Waits for an exec's exit, for at most `timeoutMS`; 0: answers with what is known. The exit is
    /// in the answer if it has exited.
    public func wait(_ key: ExecKey, timeoutMS: UInt64) async throws(ExecError) -> ExecInfo {
        let request = ExecWaitRequest(
            containerID: key.containerID,
            execID: key.execID,
            timeoutMS: timeoutMS,
        )
        return try await unary(.execWait, request, as: ExecWaitResponse.self).info
    }

    /// Waits for an exec's exit, across breaks of the connection of up to
    /// ``ClientOptions/resumeLimit``. Nil: it had not exited when `timeout` had passed, which is noticed
    /// here also where the server answers no more; without one it waits for as long as it takes.
    public func waitForExit(
        _ key: ExecKey,
        timeout: Duration? = nil,
    ) async throws(ExecError) -> Exit? {
        try await waitForExit(key, timeout: timeout, pace: WaitPace())
    }

    /// As above, in parts of another length.
    func waitForExit(
        _ key: ExecKey,
        timeout: Duration?,
        pace: WaitPace,
    ) async throws(ExecError) -> Exit? {
        let start = ContinuousClock.now
        // A server that never answered is an error at once; one that did is given time to come back.
        var wasThere = false
        var broken: (since: ContinuousClock.Instant, backoff: Backoff)?
        while true {
            let left = timeout.map { $0 - (ContinuousClock.now - start) } ?? pace.part
            if left <= .zero, wasThere { return nil }
            do throws(ExecError) {
                let part = wasThere ? min(left, pace.part) : .zero
                let asked = ContinuousClock.now
                let limit = max(min(left, pace.part), .zero) + pace.answering
                guard let info = try await wait(key, part, within: limit) else {
                    if let timeout, ContinuousClock.now - start >= timeout { return nil }
                    // Where the connection is only busy it goes on; else what waits on it is told.
                    runtime.execute { $0.distrust(silence: limit) }
                    continue
                }
                if let exit = info.exit { return exit }
                guard info.state != .exited else {
                    let what = "the server says that \(key) has exited, but not how"
                    throw ExecError(.internalError, what)
                }
                wasThere = true
                broken = nil
                // A server that answers before the time must not be asked again without a pause.
                if ContinuousClock.now - asked < part {
                    let left = max(part - (ContinuousClock.now - asked), .zero)
                    let pause = min(left, pace.pause)
                    guard (try? await Task.sleep(for: pause)) != nil else { throw .callerCancelled }
                }
            } catch {
                let now = ContinuousClock.now
                var attempt = broken ?? (now, Backoff(limit: options.resumeLimit))
                wasThere = wasThere || error.cause is ConnectionBroken
                guard error.code == .unavailable, wasThere,
                    let delay = attempt.backoff.next(elapsed: now - attempt.since)
                else { throw error }
                broken = attempt
                let sleep = min(delay, max(left, .zero))
                guard (try? await Task.sleep(for: sleep)) != nil else { throw .callerCancelled }
            }
        }
    }

    /// Waits for an exec's exit for at most `part`. Nil: no answer came `within` this time.
    private func wait(
        _ key: ExecKey,
        _ part: Duration,
        within limit: Duration,
    ) async throws(ExecError) -> ExecInfo? {
        let result = await withTaskGroup(of: Result<ExecInfo?, ExecError>.self) { group in
            group.addTask {
                do throws(ExecError) {
                    return .success(try await self.wait(key, timeoutMS: part.wholeMilliseconds))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                let hasPassed = (try? await Task.sleep(for: limit, clock: .suspending)) != nil
                return hasPassed ? .success(nil) : .failure(.callerCancelled)
            }
            defer { group.cancelAll() }
            return await group.next() ?? .success(nil)
        }
        return try result.get()
    }

    /// The execs of one container, or of all; those that carry all `labels`.
    public func list(
        container: String? = nil,
        labels: [String: String] = [:],
        runningOnly: Bool = false,
    ) async throws(ExecError) -> ExecList {
        let request = ExecListRequest(
            containerID: container ?? "",
            labels: labels,
            runningOnly: runningOnly,
        )
        let response: ExecListResponse = try await unary(.execList, request)
        return ExecList(execs: response.execs, truncated: response.truncated)
    }

    /// Sends a signal to an exec's process group, or to its first process only.
    @discardableResult
    public func signal(
        _ key: ExecKey,
        _ signal: SignalRequest,
    ) async throws(ExecError) -> ExecInfo {
        let request = ExecSignalRequest(
            containerID: key.containerID,
            execID: key.execID,
            signal: signal,
        )
        return try await unary(.execSignal, request, as: ExecControlResponse.self).info
    }

    /// Ends an exec politely: stop signal, grace, SIGKILL. Answers once it has exited. A grace of 0 is
    /// the one its command names.
    @discardableResult
    public func stop(_ key: ExecKey, graceMS: UInt64 = 0) async throws(ExecError) -> ExecInfo {
        let request = ExecStopRequest(
            containerID: key.containerID,
            execID: key.execID,
            graceMS: graceMS,
        )
        return try await unary(.execStop, request, as: ExecControlResponse.self).info
    }

    /// Forgets an exec that has exited, before its retention ends.
    @discardableResult
    public func remove(_ key: ExecKey) async throws(ExecError) -> ExecInfo {
        let request = ExecRemoveRequest(containerID: key.containerID, execID: key.execID)
        return try await unary(.execRemove, request, as: ExecControlResponse.self).info
    }
}

/// How a long wait is cut into parts.
struct WaitPace {
    /// One part's length: below what idle connections are cut after, so that a break is noticed.
    var part = Duration.seconds(60)
    /// How long the answer may take beyond that.
    var answering = Duration.seconds(2)
    /// Before a server is asked again that has answered before the time.
    var pause = Duration.milliseconds(100)
}

extension Duration {
    /// In milliseconds, rounded up, so that a wait for what is left does not end before it.
    fileprivate var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return UInt64(max(0, seconds)) * 1000 + UInt64(max(0, milliseconds))
    }
}

/// What a server tells of itself.
public struct ServerInfo: Hashable, Sendable {
    /// Its name and version: "execstream/1.2.3".
    public var name: String
    /// The version of the protocol.
    public var protocolVersion: UInt32
    /// What it can do: "process", "oci", "tty", "publish".
    public var features: [String]
    /// The largest chunk of output it sends.
    public var chunkBytesMax: UInt32

    /// Describes a server.
    public init(name: String, protocolVersion: UInt32, features: [String], chunkBytesMax: UInt32) {
        self.name = name
        self.protocolVersion = protocolVersion
        self.features = features
        self.chunkBytesMax = chunkBytesMax
    }
}

/// An answer to ``ExecClient/list(container:labels:runningOnly:)``.
public struct ExecList: Hashable, Sendable {
    /// The execs.
    public var execs: [ExecInfo]
    /// There are more than fit into one answer.
    public var truncated: Bool

    /// Makes a list.
    public init(execs: [ExecInfo], truncated: Bool) {
        self.execs = execs
        self.truncated = truncated
    }
}
