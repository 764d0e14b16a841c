internal import CExecProto
package import ExecModel

/// Asks for the execs that fit.
package struct ExecListRequest: Hashable, Sendable {
    /// Only this container's; empty: all.
    package var containerID: String
    /// Only those that have all of these.
    package var labels: [String: String]
    /// Only those that have not exited.
    package var runningOnly: Bool

    /// Makes a request.
    package init(
        containerID: String = "",
        labels: [String: String] = [:],
        runningOnly: Bool = false,
    ) {
        self.containerID = containerID
        self.labels = labels
        self.runningOnly = runningOnly
    }
}

/// The execs that were asked for.
package struct ExecListResponse: Hashable, Sendable {
    /// The execs.
    package var execs: [ExecInfo]
    /// There are more than fit into one message.
    package var truncated: Bool

    /// Makes an answer.
    package init(execs: [ExecInfo], truncated: Bool = false) {
        self.execs = execs
        self.truncated = truncated
    }
}

extension ExecListRequest: TopMessage {
    typealias Raw = Execstream__V1__ExecListRequest
    package static var wireName: String { "ExecListRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_list_request__init
    }
    static var unpack: Unpack { execstream__v1__exec_list_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        labels = try map(
            raw.pointee.n_labels,
            raw.pointee.labels,
            "labels",
            max: Command.labelsMax,
            comparesValues: true
        )
        runningOnly = raw.pointee.running_only != 0
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.n_labels = labels.count
        raw.labels = arena.map(labels)
        raw.running_only = runningOnly.raw
    }
}

extension ExecListResponse: TopMessage {
    typealias Raw = Execstream__V1__ExecListResponse
    package static var wireName: String { "ExecListResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_list_response__init
    }
    static var unpack: Unpack { execstream__v1__exec_list_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        execs = try ExecInfo.list(raw.pointee.n_execs, raw.pointee.execs, "execs")
        truncated = raw.pointee.truncated != 0
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.n_execs = execs.count
        raw.execs = arena.list(execs)
        raw.truncated = truncated.raw
    }
}
