internal import ExecModel
internal import Testing

@testable internal import Wire

@Suite("Hostile messages")
struct HostileMessageTests {
    @Test("Random bytes crash no decoder")
    func randomBytes() throws {
        var random = Seeded(newSeed())
        let memory = try GuardedMemory(capacity: 256)
        for _ in 0..<20_000 {
            let bytes = random.bytes(Int.random(in: 0...64, using: &random))
            for type in Contract.messages { memory.with(bytes) { _ = attempt(type, $0) } }
        }
    }

    @Test(
        "Valid messages with bytes changed crash no decoder, nor do they crash what encodes again"
    )
    func changedBytes() throws {
        var random = Seeded(newSeed())
        let memory = try GuardedMemory(capacity: 1024)
        for sample in Samples.all {
            for _ in 0..<1000 where !sample.vector.isEmpty {
                var bytes = sample.vector
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8(
                        truncatingIfNeeded: random.next(),
                    )
                }
                let message = memory.with(bytes) { attempt(sample.type, $0) as (any WireMessage)? }
                _ = message?.encode()
            }
        }
    }

    @Test("A message cut anywhere crashes no decoder, and is not read past its end")
    func cuts() throws {
        let memory = try GuardedMemory(capacity: 1024)
        for sample in Samples.all {
            for end in sample.vector.indices {
                memory.with(sample.vector[..<end]) { _ = attempt(sample.type, $0) }
            }
        }
        let request = CallRequest(
            method: "Hello",
            payload: [1, 2, 3],
            timeoutNano: -1,
            metadata: [("k", "v"), ("", "")],
        ).encode()
        for end in request.indices {
            memory.with(request[..<end]) { _ = attempt(CallRequest.self, $0) }
        }
        let response = CallResponse(failure: ExecError(.notFound, "no")).encode()
        for end in response.indices {
            memory.with(response[..<end]) { _ = attempt(CallResponse.self, $0) }
        }
    }

    /// A length-delimited field with these bytes.
    static func field(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        length.append(addingCapacity: Varint.byteCountMax) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                var writer = WireWriter(UnsafeMutableRawBufferPointer(buffer))
                writer.write(varint: UInt64(bytes.count))
                count = writer.count
            }
        }
        return [tag] + length + bytes
    }

    static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        Array(repeatElement(bytes, count: count).joined())
    }

    /// How much an arena gives out for a message before it is read or refused.
    static func cost<Message: TopMessage>(
        _ type: Message.Type,
        _ bytes: [UInt8],
    ) -> (isRead: Bool, overflowBytes: Int, overflowBlocks: Int) {
        bytes.withUnsafeBytes { buffer in
            MessageArena.with(bytesMax: MessageArena.decodeBytesMax) { arena in
                let message = try? Message.decode(buffer, in: &arena)
                return (message != nil, arena.overflowBytes, arena.overflowBlocks)
            }
        }
    }

    @Test(
        "Two million empty arguments take no more than the arena's bound",
        .timeLimit(.minutes(1))
    )
    func manyArguments() {
        let command = Self.repeated([0x0a, 0], 2_090_000)
        let start = Self.field(0x0a, Self.field(0x1a, command))
        #expect(start.count <= Frames.payloadBytesMax)
        let cost = Self.cost(SessionRequest.self, start)
        #expect(!cost.isRead)
        #expect(cost.overflowBytes <= MessageArena.decodeBytesMax)
        #expect(failure(SessionRequest.self, start) == "SessionRequest does not parse")
    }

    @Test("A hundred thousand arguments are read")
    func largeCommand() throws {
        let command = Command((0..<100_000).map { "argument \($0)" })
        let start = SessionRequest.start(
            Start(containerID: "c", execID: "e", command: command),
        )
        #expect(try SessionRequest.decode(bytes: start.encode()) == start)
    }

    @Test(
        "A sub-message that comes again and again is merged within the bound, or refused",
        .timeLimit(.minutes(1))
    )
    func manyMerges() throws {
        let command = Self.field(0x1a, [0x0a, 0])
        let commands = Self.repeated(command, 4_000_000 / command.count)
        let starts = Self.repeated(Self.field(0x0a, command), 600_000)
        for bytes in [Self.field(0x0a, commands), starts] {
            let cost = Self.cost(SessionRequest.self, bytes)
            #expect(!cost.isRead)
            #expect(cost.overflowBytes <= MessageArena.decodeBytesMax)
        }
        let few = Self.field(0x0a, Self.repeated(command, 3))
        let start = Start(containerID: "", execID: "", command: Command(["", "", ""]))
        #expect(try SessionRequest.decode(bytes: few) == .start(start))
    }

    @Test(
        "Millions of unknown fields are passed over within the bound, or refused",
        .timeLimit(.minutes(1))
    )
    func manyUnknownFields() {
        let unknown = Self.repeated(hex("a00601"), 1_300_000)
        let cost = Self.cost(ExecRemoveRequest.self, unknown)
        #expect(cost.overflowBytes <= MessageArena.decodeBytesMax)
    }

    @Test("Groups, however deep, are refused")
    func groups() {
        let deep = Self.repeated([0xa3, 0x06], 1_000_000) + Self.repeated([0xa4, 0x06], 1_000_000)
        #expect(failure(SessionRequest.self, deep) == "SessionRequest does not parse")
        #expect(failure(HelloRequest.self, hex("a306a406")) == "HelloRequest does not parse")
    }

    @Test("A million pairs of a map take no more than the arena's bound", .timeLimit(.minutes(1)))
    func manyPairs() {
        let labels = Self.repeated([0x12, 0], 2_000_000)
        let cost = Self.cost(ExecListRequest.self, labels)
        #expect(!cost.isRead)
        #expect(cost.overflowBytes <= MessageArena.decodeBytesMax)
    }

    @Test("A packed list of numbers is read, and one that is cut is refused")
    func packedNumbers() throws {
        let exit = Self.field(0x5a, Self.repeated([0x01], 1000))
        let message = try SessionResponse.decode(bytes: Self.field(0x2a, exit))
        guard case .exit(let exit) = message else {
            Issue.record("\(message)")
            return
        }
        #expect(exit.holderPIDs == Array(repeating: 1, count: 1000))
        let cut = Self.field(0x2a, Self.field(0x5a, [0x01, 0x80]))
        #expect(failure(SessionResponse.self, cut) == "SessionResponse does not parse")
    }
}

@Suite("Message arena")
struct MessageArenaTests {
    @Test("What is said every day fits into the first block", arguments: Samples.all)
    func typical(_ sample: Sample) throws {
        let type = try #require(sample.type as? any TopMessage.Type)
        #expect(HostileMessageTests.cost(type, sample.vector).isRead)
        #expect(HostileMessageTests.cost(type, sample.vector).overflowBlocks == 0)
    }

    @Test("A start with a common environment fits into the first block or one more")
    func environment() {
        var command = Command(["/bin/sh", "-c", "echo hello; sleep 1; exit 3"])
        for index in 0..<10 { command.environment["VARIABLE_\(index)"] = "/some/value/\(index)" }
        var start = Start(containerID: "container-1", execID: "exec-1", command: command)
        let ten = HostileMessageTests.cost(
            SessionRequest.self,
            SessionRequest.start(start).encode(),
        )
        #expect(ten.isRead)
        #expect(ten.overflowBlocks == 0)
        for index in 0..<50 { command.environment["VARIABLE_\(index)"] = "/some/value/\(index)" }
        start.command = command
        let fifty = HostileMessageTests.cost(
            SessionRequest.self,
            SessionRequest.start(start).encode(),
        )
        #expect(fifty.isRead)
        #expect(fifty.overflowBlocks == 1)
    }

    @Test("What an arena gives out does not overlap, and is aligned")
    func allocations() throws {
        var random = Seeded(newSeed())
        MessageArena.with { arena in
            var given: [UnsafeMutableRawBufferPointer] = []
            for index in 0..<500 {
                let size = Int.random(in: 0...5000, using: &random)
                guard let memory = arena.allocate(size) else {
                    Issue.record("no memory")
                    return
                }
                #expect(UInt(bitPattern: memory) % 16 == 0)
                memory.initializeMemory(as: UInt8.self, repeating: UInt8(index & 0xff), count: size)
                given.append(UnsafeMutableRawBufferPointer(start: memory, count: size))
            }
            for (index, memory) in given.enumerated() {
                #expect(memory.allSatisfy { $0 == UInt8(index & 0xff) })
            }
        }
    }

    @Test("An arena gives out nothing past its bound")
    func bound() {
        MessageArena.with(bytesMax: 100_000) { arena in
            #expect(arena.allocate(4000) != nil)
            #expect(arena.allocate(60_000) != nil)
            #expect(arena.allocate(60_000) == nil)
            #expect(arena.allocate(Int.max) == nil)
            #expect(arena.allocate(-1) == nil)
            #expect(arena.allocate(10_000) != nil)
            #expect(arena.overflowBytes <= 100_000)
        }
        MessageArena.with(bytesMax: 0) { arena in
            #expect(arena.allocate(4096) != nil)
            #expect(arena.allocate(1) == nil)
        }
    }
}
