internal import ExecModel

// What scripts see of the model: the names of Proto/exec.proto, enum values in lower case, and times in
// seconds, as Lua's `os.time` has them.

extension LuaValue {
    /// How a process ended.
    init(_ exit: Exit) {
        self = .table([
            ("code", .integer(Int64(exit.code))),
            ("reason", .text(exit.reason.scriptName)),
            ("cause", exit.cause == .unspecified ? .none : .text("\(exit.cause)")),
            ("signal", exit.signal == 0 ? .none : .integer(Int64(exit.signal))),
            ("core_dumped", .boolean(exit.coreDumped)),
            ("message", exit.message.isEmpty ? .none : .text(exit.message)),
            ("stdout_bytes", .integer(Int64(clamping: exit.stdoutBytes))),
            ("stderr_bytes", .integer(Int64(clamping: exit.stderrBytes))),
            ("drained", .boolean(exit.drained)),
            ("holder_pids", .list(exit.holderPIDs.map { .integer(Int64($0)) })),
            ("started", .seconds(exit.startedUnixNS)),
            ("finished", .seconds(exit.finishedUnixNS)),
            ("user_seconds", .number(Double(exit.usage.userUS) / 1e6)),
            ("system_seconds", .number(Double(exit.usage.systemUS) / 1e6)),
            ("max_rss_bytes", .integer(Int64(clamping: exit.usage.maxRSSBytes))),
        ])
    }

    /// A process as it is now.
    init(_ info: ExecInfo) {
        let labels = info.labels.sorted { $0.key < $1.key }.map { label in
            (name: label.key, value: LuaValue.text(label.value))
        }
        self = .table([
            ("container_id", .text(info.containerID)),
            ("exec_id", .text(info.execID)),
            ("state", .text("\(info.state)")),
            ("pid", info.pid == 0 ? .none : .integer(Int64(info.pid))),
            ("argv", .list(info.argv.map { .text($0) })),
            ("labels", .table(labels)),
            ("tty", .boolean(info.tty)),
            ("rows", info.window.map { .integer(Int64($0.rows)) } ?? .none),
            ("cols", info.window.map { .integer(Int64($0.columns)) } ?? .none),
            ("viewers", .integer(Int64(info.viewers))),
            ("stdout_bytes", .integer(Int64(clamping: info.stdoutBytes))),
            ("stderr_bytes", .integer(Int64(clamping: info.stderrBytes))),
            ("created", .seconds(info.createdUnixNS)),
            ("started", .seconds(info.startedUnixNS)),
            ("exit", info.exit.map { LuaValue($0) } ?? .none),
        ])
    }

    /// A moment; one that never was is left out.
    private static func seconds(_ unixNS: Int64) -> LuaValue {
        unixNS == 0 ? .none : .number(Double(unixNS) / 1e9)
    }
}

extension ExitReason {
    fileprivate var scriptName: String {
        switch self {
        case .unspecified: "unspecified"
        case .natural: "natural"
        case .signal: "signal"
        case .forcedKill: "forced_kill"
        case .startFailed: "start_failed"
        case .runtimeError: "runtime_error"
        }
    }
}
