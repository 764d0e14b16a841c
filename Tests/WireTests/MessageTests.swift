internal import ExecModel
internal import Testing

@testable internal import Wire

@Suite("Messages")
struct MessageTests {
    @Test("A message decodes from what Google's protobuf makes of it", arguments: Samples.all)
    func decodes(_ sample: Sample) throws {
        try #require(foreignVectors[sample.name] != nil)
        #expect(try sample.isDecoded(sample.vector))
    }

    @Test("A message encodes to what Google's protobuf makes of it", arguments: Samples.all)
    func encodes(_ sample: Sample) {
        #expect(sample.message.encode() == sample.vector)
    }

    @Test("There is a sample for every vector, and every kind of message is among them")
    func samplesAreComplete() {
        #expect(Set(Samples.all.map(\.name)) == Set(foreignVectors.keys))
        let kinds = Set(Samples.all.map { ObjectIdentifier($0.type) })
        let envelope = Set([
            ObjectIdentifier(CallRequest.self), ObjectIdentifier(CallResponse.self),
        ])
        #expect(kinds.union(envelope) == Set(Contract.messages.map { ObjectIdentifier($0) }))
    }

    @Test("A message in which nothing is set survives the way there and back")
    func nothingSet() throws {
        func survives<Message: WireMessage & Equatable>(_ message: Message) throws -> Bool {
            try Message.decode(bytes: message.encode()) == message
        }
        let info = ExecInfo(containerID: "", execID: "")
        #expect(try survives(HelloRequest(client: "")))
        #expect(try survives(SessionRequest.start(Start(containerID: "", execID: ""))))
        #expect(
            try survives(
                SessionRequest.start(Start(containerID: "", execID: "", command: Command([]))),
            ),
        )
        #expect(try survives(SessionRequest.signal(SignalRequest(0))))
        #expect(try survives(SessionRequest.credit(0)))
        #expect(try survives(SessionResponse.ready(Ready(info: info))))
        #expect(try survives(SessionResponse.exit(Exit(code: 0, reason: .natural))))
        #expect(try survives(PublishRequest.register(Register(containerID: "", execID: ""))))
        #expect(try survives(PublishRequest.stderr([])))
        #expect(try survives(ExecListRequest()))
        #expect(try survives(ExecListResponse(execs: [])))
        #expect(try survives(ContainerStatus(containerID: "", state: .unspecified)))
        #expect(ExecListRequest().encode().isEmpty)
        #expect(ExecListResponse(execs: []).encode().isEmpty)
    }

    @Test("Where a view starts is told by what is set, and `live = false` sets nothing")
    func viewFrom() throws {
        func from(_ view: String) throws -> View.From? {
            let start = hex("22") + hex(view)
            let bytes = [0x0a, UInt8(start.count)] + start
            guard case .start(let start) = try SessionRequest.decode(bytes: bytes) else {
                return nil
            }
            return start.view.from
        }
        #expect(try from("00") == .start)
        #expect(try from("02 0801") == .live)
        #expect(try from("02 0800") == .start)
        #expect(try from("02 1000") == .after(sequence: 0))
        #expect(try from("02 1807") == .tail(bytes: 7))
        #expect(try from("04 0801 1807") == .tail(bytes: 7))
    }

    @Test("An enum value of a newer peer is unspecified")
    func unknownEnumValues() throws {
        let state = try SessionResponse.decode(bytes: hex("3a02 0863"))
        #expect(state == .state(.unspecified, unixNS: 0))
        let exit = try SessionResponse.decode(bytes: hex("2a04 1063 1863"))
        guard case .exit(let told) = exit else { return #expect(Bool(false)) }
        // A reason that is not known is no success.
        #expect(told.code == 255 && told.reason == .runtimeError && told.cause == .unspecified)
        let negative = try SessionResponse.decode(bytes: hex("3a0b 08ffffffffffffffffff01"))
        #expect(negative == .state(.unspecified, unixNS: 0))
        let event = try ContainerLifecycleEvent.decode(bytes: hex("2863"))
        #expect(event.kind == .unspecified)
    }

    @Test("Unknown fields are passed over, whatever their type")
    func unknownFields() throws {
        let unknown = hex("9803 05  9a03 02 6869  9d03 01020304  9903 0102030405060708")
        let request = ExecRemoveRequest(containerID: "c", execID: "e")
        #expect(try ExecRemoveRequest.decode(bytes: unknown + request.encode()) == request)
        #expect(try ExecRemoveRequest.decode(bytes: request.encode() + unknown) == request)
    }

    @Test("Of two values for a field the last counts; a map takes the last of one key")
    func lastCounts() throws {
        let twice = HelloRequest(client: "a").encode() + HelloRequest(client: "b").encode()
        #expect(try HelloRequest.decode(bytes: twice).client == "b")
        let labels =
            ExecListRequest(labels: ["k": "1"]).encode()
            + ExecListRequest(labels: ["k": "2", "l": "3"]).encode()
        #expect(try ExecListRequest.decode(bytes: labels).labels == ["k": "2", "l": "3"])
        let oneof = SessionRequest.closeStdin.encode() + SessionRequest.credit(5).encode()
        #expect(try SessionRequest.decode(bytes: oneof) == .credit(5))
    }

    @Test("A map's pair may lack its key or its value, where that is empty, or hold it")
    func emptyInMap() throws {
        for (pair, expected) in [
            ("1203 0a016b", ["k": ""]), ("1205 0a016b 1200", ["k": ""]),
            ("1203 120176", ["": "v"]), ("1205 0a00 120176", ["": "v"]), ("1200", ["": ""]),
        ] {
            #expect(try ExecListRequest.decode(bytes: hex(pair)).labels == expected)
        }
    }

    @Test("Equal messages have equal bytes, whatever order their maps are in")
    func mapsAreSorted() {
        let keys = (0..<50).map { "key\($0)" }
        let there = Dictionary(uniqueKeysWithValues: keys.map { ($0, "") })
        var back: [String: String] = [:]
        for key in keys.reversed() { back[key] = "" }
        #expect(ExecListRequest(labels: there).encode() == ExecListRequest(labels: back).encode())
    }
}
