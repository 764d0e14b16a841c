internal import CExecProto
package import ExecModel

extension LifecycleEvent: TopMessage {
    typealias Raw = Execstream__V1__ContainerLifecycleEvent
    package static var wireName: String { "ContainerLifecycleEvent" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_lifecycle_event__init
    }
    static var unpack: Unpack { execstream__v1__container_lifecycle_event__unpack }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        let named = ExecInfo(
            containerID: try raw.container_id.name("container_id"),
            execID: try raw.exec_id.name("exec_id"),
        )
        self.init(
            sequence: raw.sequence,
            unixNS: raw.unix_ns,
            kind: Kind(rawValue: Int32(bitPattern: raw.kind.rawValue)) ?? .unspecified,
            info: try ExecInfo.optional(raw.info, "info") ?? named,
            missed: raw.missed,
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.sequence = sequence
        raw.unix_ns = unixNS
        raw.container_id = arena.text(info.containerID)
        raw.exec_id = arena.text(info.execID)
        raw.kind = Execstream__V1__ContainerLifecycleEvent__Kind(
            UInt32(bitPattern: kind.rawValue),
        )
        raw.info = arena.message(info)
        raw.missed = missed
    }
}

extension ContainerStatus: TopMessage {
    typealias Raw = Execstream__V1__ContainerStatusResponse
    package static var wireName: String { "ContainerStatusResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_status_response__init
    }
    static var unpack: Unpack { execstream__v1__container_status_response__unpack }

    init(raw pointer: UnsafePointer<Raw>) throws(DecodeFailure) {
        let raw = pointer.pointee
        self.init(
            containerID: try raw.container_id.name("container_id"),
            state: ContainerState(rawValue: Int32(bitPattern: raw.status.rawValue))
                ?? .unspecified,
            execs: try ExecInfo.list(raw.n_execs, raw.execs, "execs"),
            startedUnixNS: raw.started_unix_ns,
            finishedUnixNS: raw.finished_unix_ns,
            exit: try Exit.optional(raw.exit, "exit"),
            resourceUsage: try ResourceUsage.optional(raw.resource_usage, "resource_usage"),
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.status = Execstream__V1__ContainerState(UInt32(bitPattern: state.rawValue))
        raw.n_execs = execs.count
        raw.execs = arena.list(execs)
        raw.started_unix_ns = startedUnixNS
        raw.finished_unix_ns = finishedUnixNS
        raw.exit = arena.optional(exit)
        raw.resource_usage = arena.optional(resourceUsage)
    }
}

extension ResourceUsage: MessageValue {
    typealias Raw = Execstream__V1__ResourceUsage
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__resource_usage__init
    }

    init(raw: UnsafePointer<Raw>) {
        self.init()
        cpuPercent = raw.pointee.cpu_percent
        memoryBytes = raw.pointee.memory_bytes
        memoryLimitBytes = raw.pointee.memory_limit_bytes
        ioReadBytes = raw.pointee.io_read_bytes
        ioWriteBytes = raw.pointee.io_write_bytes
        pids = raw.pointee.pids
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.cpu_percent = cpuPercent
        raw.memory_bytes = memoryBytes
        raw.memory_limit_bytes = memoryLimitBytes
        raw.io_read_bytes = ioReadBytes
        raw.io_write_bytes = ioWriteBytes
        raw.pids = pids
    }
}
