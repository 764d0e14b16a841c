internal import CExecProto
package import ExecModel

/// Waits for an exec's exit, or fetches a late one.
package struct ExecWaitRequest: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String
    /// How long to wait; 0: answer at once with what is known.
    package var timeoutMS: UInt64

    /// Makes a request.
    package init(containerID: String, execID: String, timeoutMS: UInt64 = 0) {
        self.containerID = containerID
        self.execID = execID
        self.timeoutMS = timeoutMS
    }
}

/// What is known at the end of the wait; without an exit the wait has timed out.
package struct ExecWaitResponse: Hashable, Sendable {
    /// The exec.
    package var info: ExecInfo

    /// Makes an answer.
    package init(info: ExecInfo) { self.info = info }
}

/// Sends an exec a signal.
package struct ExecSignalRequest: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String
    /// The signal, and to whom it goes.
    package var signal: SignalRequest

    /// Makes a request.
    package init(containerID: String, execID: String, signal: SignalRequest) {
        self.containerID = containerID
        self.execID = execID
        self.signal = signal
    }
}

/// Ends an exec politely.
package struct ExecStopRequest: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String
    /// Between the stop signal and SIGKILL, in milliseconds; 0: as the exec's command says.
    package var graceMS: UInt64

    /// Makes a request.
    package init(containerID: String, execID: String, graceMS: UInt64 = 0) {
        self.containerID = containerID
        self.execID = execID
        self.graceMS = graceMS
    }
}

/// Forgets an exec that has exited.
package struct ExecRemoveRequest: Hashable, Sendable {
    /// The exec's container.
    package var containerID: String
    /// The exec within it.
    package var execID: String

    /// Makes a request.
    package init(containerID: String, execID: String) {
        self.containerID = containerID
        self.execID = execID
    }
}

/// The exec, as it is after the call.
package struct ExecControlResponse: Hashable, Sendable {
    /// The exec.
    package var info: ExecInfo

    /// Makes an answer.
    package init(info: ExecInfo) { self.info = info }
}

extension ExecWaitRequest: TopMessage {
    typealias Raw = Execstream__V1__ExecWaitRequest
    package static var wireName: String { "ExecWaitRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_wait_request__init
    }
    static var unpack: Unpack { execstream__v1__exec_wait_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        execID = try raw.pointee.exec_id.name("exec_id")
        timeoutMS = raw.pointee.timeout_ms
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.timeout_ms = timeoutMS
    }
}

extension ExecWaitResponse: TopMessage {
    typealias Raw = Execstream__V1__ExecWaitResponse
    package static var wireName: String { "ExecWaitResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_wait_response__init
    }
    static var unpack: Unpack { execstream__v1__exec_wait_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        info = try ExecInfo.required(raw.pointee.info, "info")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.info = arena.message(info)
    }
}

extension ExecSignalRequest: TopMessage {
    typealias Raw = Execstream__V1__ExecSignalRequest
    package static var wireName: String { "ExecSignalRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_signal_request__init
    }
    static var unpack: Unpack { execstream__v1__exec_signal_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        execID = try raw.pointee.exec_id.name("exec_id")
        signal = try SignalRequest.required(raw.pointee.signal, "signal")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.signal = arena.message(signal)
    }
}

extension ExecStopRequest: TopMessage {
    typealias Raw = Execstream__V1__ExecStopRequest
    package static var wireName: String { "ExecStopRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_stop_request__init
    }
    static var unpack: Unpack { execstream__v1__exec_stop_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        execID = try raw.pointee.exec_id.name("exec_id")
        graceMS = raw.pointee.grace_ms
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
        raw.grace_ms = graceMS
    }
}

extension ExecRemoveRequest: TopMessage {
    typealias Raw = Execstream__V1__ExecRemoveRequest
    package static var wireName: String { "ExecRemoveRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_remove_request__init
    }
    static var unpack: Unpack { execstream__v1__exec_remove_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        execID = try raw.pointee.exec_id.name("exec_id")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.exec_id = arena.text(execID)
    }
}

extension ExecControlResponse: TopMessage {
    typealias Raw = Execstream__V1__ExecControlResponse
    package static var wireName: String { "ExecControlResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__exec_control_response__init
    }
    static var unpack: Unpack { execstream__v1__exec_control_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        info = try ExecInfo.required(raw.pointee.info, "info")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.info = arena.message(info)
    }
}
