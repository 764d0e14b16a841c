internal import ExecModel

// The stable names programs rely on: those of Proto/exec.proto, enum values in lower case.

extension JSON {
    /// One exec.
    init(_ info: ExecInfo) {
        self = .object([
            "container_id": .string(info.containerID),
            "exec_id": .string(info.execID),
            "state": .string(info.state.jsonName),
            "pid": .int(info.pid),
            "argv": .array(info.argv.map(JSON.string)),
            "labels": .object(info.labels),
            "tty": .bool(info.tty),
            "window": info.window.map { JSON($0) } ?? .null,
            "published": .bool(info.published),
            "viewers": .int(info.viewers),
            "stdout_bytes": .unsigned(info.stdoutBytes),
            "stderr_bytes": .unsigned(info.stderrBytes),
            "created_unix_ns": .int(info.createdUnixNS),
            "started_unix_ns": .int(info.startedUnixNS),
            "exit": info.exit.map { JSON($0) } ?? .null,
        ])
    }

    /// A terminal's size.
    init(_ size: WindowSize) {
        self = .object(["rows": .int(size.rows), "columns": .int(size.columns)])
    }

    /// How an exec ended.
    init(_ exit: Exit) {
        self = .object([
            "code": .int(exit.code),
            "reason": .string(exit.reason.jsonName),
            "cause": .string(exit.cause.jsonName),
            "signal": .int(exit.signal),
            "core_dumped": .bool(exit.coreDumped),
            "message": .string(exit.message),
            "last_sequence": .unsigned(exit.lastSequence),
            "stdout_bytes": .unsigned(exit.stdoutBytes),
            "stderr_bytes": .unsigned(exit.stderrBytes),
            "drained": .bool(exit.drained),
            "holder_pids": .array(exit.holderPIDs.map { JSON.int($0) }),
            "started_unix_ns": .int(exit.startedUnixNS),
            "finished_unix_ns": .int(exit.finishedUnixNS),
            "usage": .object([
                "user_us": .unsigned(exit.usage.userUS),
                "system_us": .unsigned(exit.usage.systemUS),
                "max_rss_bytes": .unsigned(exit.usage.maxRSSBytes),
            ]),
        ])
    }

    /// One event of a container.
    init(_ event: LifecycleEvent) {
        self = .object([
            "sequence": .unsigned(event.sequence),
            "unix_ns": .int(event.unixNS),
            "kind": .string("\(event.kind)"),
            "container_id": .string(event.info.containerID),
            "exec_id": .string(event.info.execID),
            "missed": .unsigned(event.missed),
            "info": JSON(event.info),
        ])
    }

    /// A container.
    init(_ status: ContainerStatus) {
        self = .object([
            "container_id": .string(status.containerID),
            "status": .string("\(status.state)"),
            "execs": .array(status.execs.map { JSON($0) }),
            "started_unix_ns": .int(status.startedUnixNS),
            "finished_unix_ns": .int(status.finishedUnixNS),
            "exit": status.exit.map { JSON($0) } ?? .null,
            "resource_usage": status.resourceUsage.map { JSON($0) } ?? .null,
        ])
    }

    /// What a container consumes.
    init(_ usage: ResourceUsage) {
        self = .object([
            "cpu_percent": .number(usage.cpuPercent),
            "memory_bytes": .unsigned(usage.memoryBytes),
            "memory_limit_bytes": .unsigned(usage.memoryLimitBytes),
            "io_read_bytes": .unsigned(usage.ioReadBytes),
            "io_write_bytes": .unsigned(usage.ioWriteBytes),
            "pids": .int(usage.pids),
        ])
    }
}

extension ExecState {
    /// The name in JSON and in tables.
    var jsonName: String { "\(self)" }
}

extension ExitReason {
    /// The name in JSON: `forced_kill`.
    var jsonName: String {
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

extension StopCause {
    /// The name in JSON; nobody's is empty.
    var jsonName: String { self == .unspecified ? "" : "\(self)" }
}
