internal import CExecProto
package import ExecModel

/// Watches what happens to a container's execs.
package struct ContainerLifecycleRequest: Hashable, Sendable {
    /// Only this container's; empty: all.
    package var containerID: String
    /// The last event this client has seen; 0: from now.
    package var afterSequence: UInt64

    /// Makes a request.
    package init(containerID: String = "", afterSequence: UInt64 = 0) {
        self.containerID = containerID
        self.afterSequence = afterSequence
    }
}

/// What a watcher is sent.
package typealias ContainerLifecycleEvent = LifecycleEvent

/// Asks what a container is doing.
package struct ContainerStatusRequest: Hashable, Sendable {
    /// The container.
    package var containerID: String
    /// Tell what it consumes, too.
    package var includeResourceUsage: Bool

    /// Makes a request.
    package init(containerID: String, includeResourceUsage: Bool = false) {
        self.containerID = containerID
        self.includeResourceUsage = includeResourceUsage
    }
}

/// What a container is doing.
package typealias ContainerStatusResponse = ContainerStatus

/// Freezes a container, or lets it go on.
package struct ContainerControlRequest: Hashable, Sendable {
    /// The container.
    package var containerID: String

    /// Makes a request.
    package init(containerID: String) { self.containerID = containerID }
}

/// Sends a signal to all of a container's execs.
package struct ContainerSignalRequest: Hashable, Sendable {
    /// The container.
    package var containerID: String
    /// The signal, and to whom it goes.
    package var signal: SignalRequest

    /// Makes a request.
    package init(containerID: String, signal: SignalRequest) {
        self.containerID = containerID
        self.signal = signal
    }
}

/// What was done to a container.
package typealias ContainerControlResponse = ContainerControl

extension ContainerLifecycleRequest: TopMessage {
    typealias Raw = Execstream__V1__ContainerLifecycleRequest
    package static var wireName: String { "ContainerLifecycleRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_lifecycle_request__init
    }
    static var unpack: Unpack { execstream__v1__container_lifecycle_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        afterSequence = raw.pointee.after_sequence
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.after_sequence = afterSequence
    }
}

extension ContainerStatusRequest: TopMessage {
    typealias Raw = Execstream__V1__ContainerStatusRequest
    package static var wireName: String { "ContainerStatusRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_status_request__init
    }
    static var unpack: Unpack { execstream__v1__container_status_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        includeResourceUsage = raw.pointee.include_resource_usage != 0
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.include_resource_usage = includeResourceUsage.raw
    }
}

extension ContainerControlRequest: TopMessage {
    typealias Raw = Execstream__V1__ContainerControlRequest
    package static var wireName: String { "ContainerControlRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_control_request__init
    }
    static var unpack: Unpack { execstream__v1__container_control_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
    }
}

extension ContainerSignalRequest: TopMessage {
    typealias Raw = Execstream__V1__ContainerSignalRequest
    package static var wireName: String { "ContainerSignalRequest" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_signal_request__init
    }
    static var unpack: Unpack { execstream__v1__container_signal_request__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        containerID = try raw.pointee.container_id.name("container_id")
        signal = try SignalRequest.required(raw.pointee.signal, "signal")
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.container_id = arena.text(containerID)
        raw.signal = arena.message(signal)
    }
}

extension ContainerControl: TopMessage {
    typealias Raw = Execstream__V1__ContainerControlResponse
    package static var wireName: String { "ContainerControlResponse" }
    static var initialize: (UnsafeMutablePointer<Raw>?) -> Void {
        execstream__v1__container_control_response__init
    }
    static var unpack: Unpack { execstream__v1__container_control_response__unpack }

    init(raw: UnsafePointer<Raw>) throws(DecodeFailure) {
        self.init(
            success: raw.pointee.success != 0,
            message: try raw.pointee.message.text("message"),
            execs: raw.pointee.execs,
        )
    }

    func fill(_ raw: inout Raw, in arena: inout MessageArena) {
        raw.success = success.raw
        raw.message = arena.text(message)
        raw.execs = execs
    }
}
