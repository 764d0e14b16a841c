/// What exec.proto and ttrpc's envelope are made of.
package enum Contract {
    /// Every message that travels by itself.
    package static let messages: [any WireMessage.Type] = [
        HelloRequest.self, HelloResponse.self, SessionRequest.self, SessionResponse.self,
        PublishRequest.self, PublishResponse.self, ExecWaitRequest.self, ExecWaitResponse.self,
        ExecListRequest.self, ExecListResponse.self, ExecSignalRequest.self, ExecStopRequest.self,
        ExecRemoveRequest.self, ExecControlResponse.self, ContainerLifecycleRequest.self,
        ContainerLifecycleEvent.self, ContainerStatusRequest.self, ContainerStatusResponse.self,
        ContainerControlRequest.self, ContainerSignalRequest.self, ContainerControlResponse.self,
        CallRequest.self, CallResponse.self,
    ]
}
