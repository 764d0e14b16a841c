internal import ExecCore
internal import Kernel
internal import Wire

/// The unary calls on execs.
extension Calls {
    func wait(_ request: ExecWaitRequest, _ call: PendingCall) throws(ExecError) {
        let instance = try instance(request.containerID, request.execID)
        let answer = { @Sendable in ExecWaitResponse(info: instance.info) }
        guard instance.exit == nil, request.timeoutMS > 0 else { return call.succeed(answer()) }
        let time = Duration.milliseconds(Int64(clamping: request.timeoutMS))
        call.open(answeringAfter: time) { call.succeed(answer()) }
        call.onExit(of: instance) { call.succeed(answer()) }
    }

    func list(_ request: ExecListRequest, _ call: PendingCall) throws(ExecError) {
        if !request.containerID.isEmpty {
            try ExecKey.check(request.containerID, field: "container_id")
        }
        let container = request.containerID.isEmpty ? nil : request.containerID
        let runningOnly = request.runningOnly
        let filter = try LabelFilter(request.labels)
        let execs = GatheredExecs(
            .list(),
            from: registry,
            of: container,
            filterBytes: filter.byteCount
        ) {
            [caller] info in
            guard caller.covers(info.containerID) else { return false }
            if runningOnly, info.state != .running, info.state != .paused { return false }
            return filter.matches(info.labels)
        }
        try gather(execs, call) {
            let rest = ExecListResponse(execs: [], truncated: execs.answer.isFull)
            call.succeed { execs.answer.response(rest, streamID: call.id) }
        }
    }

    /// Calls `body` once all are gathered: now, where they are few. Where they are not, the peer is not
    /// heard meanwhile: it has one such call under way, and its identity has few that are being gathered.
    /// What is gathered counts for the peer; where that is too much, the call fails.
    func gather(
        _ execs: GatheredExecs,
        _ call: PendingCall,
        _ body: @escaping () -> Void,
    ) throws(ExecError) {
        guard execs.step() else {
            body()
            // It may still wait for something else.
            if call.isOpen, !call.isOver { keep(execs, call) }
            return
        }
        call.open()
        keep(execs, call)
        guard !call.isOver else { return }
        let work = connection.context.work(of: connection.loop)
        let line = caller.account.lists(of: connection.loop)
        try connection.ask(Connection.askedMax) { [connection] (answered) throws(ExecError) in
            line.add(to: work) {
                if !call.isOver {
                    let isMore = execs.step()
                    Self.keep(execs, call, connection)
                    if isMore, !call.isOver { return true }
                }
                answered()
                if !call.isOver { body() }
                return false
            }
        }
    }

    private func keep(_ execs: GatheredExecs, _ call: PendingCall) {
        Self.keep(execs, call, connection)
    }

    private static func keep(
        _ execs: GatheredExecs,
        _ call: PendingCall,
        _ connection: Connection,
    ) {
        do throws(ExecError) {
            try call.keep(execs)
        } catch {
            connection.fail(call.id, error)
        }
    }

    func signal(_ request: ExecSignalRequest, _ call: PendingCall) throws(ExecError) {
        try caller.audited(.execSignal, on: request.target) { (entry) throws(ExecError) in
            try request.signal.check()
            let instance = try instance(request.containerID, request.execID)
            call.open()
            let wait = try instance.signal(request.signal) { error in
                entry.tell(error)
                call.finish { error.map { .failure($0) } ?? .success(instance.info) }
            }
            call.waits(for: wait) { entry.tell("cancelled") }
        }
    }

    func stop(_ request: ExecStopRequest, _ call: PendingCall) throws(ExecError) {
        let grace =
            request.graceMS == 0
            ? nil : Duration.milliseconds(Int64(clamping: request.graceMS))
        try caller.audited(.execStop, on: request.target) { (entry) throws(ExecError) in
            let instance = try instance(request.containerID, request.execID)
            call.open()
            try instance.stop(.client, grace: grace)
            entry.tell("ok")
            call.onExit(of: instance) { call.succeed(ExecControlResponse(info: instance.info)) }
        }
    }

    func remove(_ request: ExecRemoveRequest) throws(ExecError) -> ExecControlResponse {
        try caller.audited(.execRemove, on: request.target) { (entry) throws(ExecError) in
            let key = try ExecKey(container: request.containerID, exec: request.execID)
            let info = try registry.remove(key)
            entry.tell("ok")
            return ExecControlResponse(info: info)
        }
    }

    private func instance(
        _ containerID: String,
        _ execID: String,
    ) throws(ExecError) -> ExecInstance {
        try registry.instance(try ExecKey(container: containerID, exec: execID))
    }
}

extension SignalRequest {
    func check() throws(ExecError) {
        guard (1...64).contains(number) else {
            throw ExecError(.invalidArgument, "signal.number is \(number); signals are 1 to 64")
        }
    }
}
