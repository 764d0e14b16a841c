internal import CExecProto
internal import ExecModel

extension ExecInfo: MessageValue {
    typealias Raw = Execstream__V1__ExecInfo
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void { execstream__v1__exec_info__init }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        self.init(
            containerID: try raw.container_id.name("container_id"),
            execID: try raw.exec_id.name("exec_id"),
        )
        state = ExecState(raw.state)
        pid = raw.pid
        argv = try texts(raw.n_argv, raw.argv, "argv")
        labels = try map(raw.n_labels, raw.labels, "labels")
        tty = raw.tty != 0
        published = raw.published != 0
        viewers = raw.viewers
        stdoutBytes = raw.stdout_bytes
        stderrBytes = raw.stderr_bytes
        createdUnixNS = raw.created_unix_ns
        startedUnixNS = raw.started_unix_ns
        exit = try Exit.optional(raw.exit, "exit")
        window = try WindowSize.optional(raw.window, "window")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.state = state.raw
        raw.pid = pid
        raw.n_argv = argv.count
        raw.argv = arena.texts(argv)
        raw.n_labels = labels.count
        raw.labels = arena.map(labels)
        raw.tty = tty.raw
        raw.published = published.raw
        raw.viewers = viewers
        raw.stdout_bytes = stdoutBytes
        raw.stderr_bytes = stderrBytes
        raw.created_unix_ns = createdUnixNS
        raw.started_unix_ns = startedUnixNS
        raw.exit = arena.optional(exit)
        raw.window = arena.optional(window)
    }
}

extension ExecState {
    /// A state this side does not know is `unspecified`.
    init(_ raw: Execstream__V1__ExecState) {
        self = ExecState(rawValue: Int32(bitPattern: raw.rawValue)) ?? .unspecified
    }

    /// As protobuf-c writes it.
    var raw: Execstream__V1__ExecState {
        Execstream__V1__ExecState(UInt32(bitPattern: rawValue))
    }
}
