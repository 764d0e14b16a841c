internal import CExecProto
internal import ExecModel

extension Command: MessageValue {
    typealias Raw = Execstream__V1__Command
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__command__init }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        self.init(try texts(raw.n_argv, raw.argv, "argv", max: Self.argumentsMax))
        environment = try map(raw.n_env, raw.env, "env", max: Self.variablesMax)
        clearEnvironment = raw.clear_env != 0
        workingDirectory = try raw.working_dir.text("working_dir")
        terminal = try Terminal.optional(raw.terminal, "terminal")
        stdin = raw.stdin != 0
        timeoutMS = raw.timeout_ms
        graceMS = raw.grace_ms
        stopSignal = raw.stop_signal
        drainMS = raw.drain_ms
        user = try raw.user.name("user")
        limits = try Limits.optional(raw.limits, "limits") ?? Limits()
        labels = try map(
            raw.n_labels,
            raw.labels,
            "labels",
            max: Self.labelsMax,
            comparesValues: true
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.n_argv = argv.count
        raw.argv = arena.texts(argv)
        raw.n_env = environment.count
        raw.env = arena.map(environment)
        raw.clear_env = clearEnvironment.raw
        raw.working_dir = arena.text(workingDirectory)
        raw.terminal = arena.optional(terminal)
        raw.stdin = stdin.raw
        raw.timeout_ms = timeoutMS
        raw.grace_ms = graceMS
        raw.stop_signal = stopSignal
        raw.drain_ms = drainMS
        raw.user = arena.text(user)
        raw.limits = arena.message(limits, unless: Limits())
        raw.n_labels = labels.count
        raw.labels = arena.map(labels)
    }
}

extension Terminal: MessageValue {
    typealias Raw = Execstream__V1__Terminal
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__terminal__init }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        self.init(
            size: WindowSize(rows: raw.pointee.rows, columns: raw.pointee.columns),
            term: try raw.pointee.term.text("term"),
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.rows = size.rows
        raw.columns = size.columns
        raw.term = arena.text(term)
    }
}

extension WindowSize: MessageValue {
    typealias Raw = Execstream__V1__Resize
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__resize__init }

    init(raw: UnsafePointer<Raw>) {
        self.init(rows: raw.pointee.rows, columns: raw.pointee.columns)
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.rows = rows
        raw.columns = columns
    }
}

extension Limits: MessageValue {
    typealias Raw = Execstream__V1__Limits
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__limits__init }

    init(raw: UnsafePointer<Raw>) {
        self.init()
        logBytesMax = raw.pointee.log_bytes_max
        memoryBytesMax = raw.pointee.memory_bytes_max
        pidsMax = raw.pointee.pids_max
        cpuMillis = raw.pointee.cpu_millis
        openFilesMax = raw.pointee.open_files_max
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.log_bytes_max = logBytesMax
        raw.memory_bytes_max = memoryBytesMax
        raw.pids_max = pidsMax
        raw.cpu_millis = cpuMillis
        raw.open_files_max = openFilesMax
    }
}

extension OnDisconnect: MessageValue {
    typealias Raw = Execstream__V1__OnDisconnect
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__on_disconnect__init
    }

    init(raw: UnsafePointer<Raw>) {
        self.init(
            stop: raw.pointee.action == EXECSTREAM__V1__ON_DISCONNECT__ACTION__ACTION_STOP,
            afterMS: raw.pointee.after_ms,
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.action =
            stop
            ? EXECSTREAM__V1__ON_DISCONNECT__ACTION__ACTION_STOP
            : EXECSTREAM__V1__ON_DISCONNECT__ACTION__ACTION_KEEP
        raw.after_ms = afterMS
    }
}

extension SignalRequest: MessageValue {
    typealias Raw = Execstream__V1__Signal
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__signal__init }

    init(raw: UnsafePointer<Raw>) {
        self.init(raw.pointee.number, leaderOnly: raw.pointee.leader_only != 0)
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.number = number
        raw.leader_only = leaderOnly.raw
    }
}

extension Bool {
    /// As protobuf-c writes it.
    var raw: Int32 { self ? 1 : 0 }
}
