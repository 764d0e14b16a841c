internal import ExecModel
internal import Testing

@testable internal import Wire

@Suite("Decode failures")
struct DecodeFailureTests {
    @Test("Bytes that do not parse are told with the message's name")
    func garbage() {
        #expect(failure(SessionRequest.self, hex("0a")) == "SessionRequest does not parse")
        #expect(failure(ExecListRequest.self, hex("0aff")) == "ExecListRequest does not parse")
        #expect(failure(CallRequest.self, hex("07")) == "Request does not parse")
    }

    @Test("The failure is the caller's: INVALID_ARGUMENT, with the sentence")
    func status() {
        do {
            _ = try ExecRemoveRequest.decode(bytes: hex("ff"))
            Issue.record("it parsed")
        } catch {
            #expect(error.execError.code == .invalidArgument)
            #expect(error.execError.message == "ExecRemoveRequest does not parse")
            #expect("\(error)" == error.message)
        }
    }

    @Test("A name with more than 30 combining marks in a row is refused, wherever names are")
    func marks() {
        let marks = "a" + String(repeating: "\u{301}\u{327}", count: 15)
        let many = marks + "\u{301}"
        let hidden = "a" + String(repeating: "\u{F73}", count: 31)
        let problem = "has more than 30 combining marks in a row"
        for name in [many, hidden] {
            let call = CallRequest(method: name).encode()
            #expect(failure(CallRequest.self, call)?.hasSuffix(problem) == true)
            let list = ExecListRequest(containerID: name)
            #expect(failure(ExecListRequest.self, list.encode())?.hasSuffix(problem) == true)
            let filter = ExecListRequest(labels: [name: "v"])
            #expect(failure(ExecListRequest.self, filter.encode())?.hasSuffix(problem) == true)
            var command = Command(["x"])
            command.environment = [name: "v"]
            let start = Start(containerID: "c", execID: "e", command: command)
            let request = SessionRequest.start(start).encode()
            #expect(failure(SessionRequest.self, request)?.hasSuffix(problem) == true)
        }
        // Texts that are no names pass, and so do names with fewer marks.
        var command = Command([many])
        command.environment = [marks: many]
        command.labels = [marks: marks]
        let start = Start(containerID: "c", execID: "e", command: command)
        #expect(failure(SessionRequest.self, SessionRequest.start(start).encode()) == nil)
    }

    @Test("A oneof in which nothing is set is refused, and can be told from the rest")
    func nothingSet() {
        for type: any WireMessage.Type in [
            SessionRequest.self, SessionResponse.self, PublishRequest.self,
        ] {
            for bytes in ["", "9a03026869"].map(hex) {
                #expect(isUnknown(type, bytes) == true)
            }
            #expect(isUnknown(type, hex("0a")) == false)
        }
    }

    private func isUnknown<Message: WireMessage>(
        _ type: Message.Type,
        _ bytes: [UInt8],
    ) -> Bool? {
        do {
            _ = try Message.decode(bytes: bytes)
            return nil
        } catch {
            #expect(error.message.hasPrefix(Message.wireName))
            return error.isUnknownMessage
        }
    }

    @Test("A sub-message that can't be done without is named where it is missing")
    func missing() {
        #expect(failure(SessionResponse.self, hex("0a00")) == "Ready.info is missing")
        #expect(failure(SessionResponse.self, hex("1200")) == "Output.data is missing")
        #expect(failure(ExecWaitResponse.self, []) == "ExecWaitResponse.info is missing")
        #expect(failure(ExecControlResponse.self, []) == "ExecControlResponse.info is missing")
        #expect(failure(PublishResponse.self, []) == "PublishResponse.exit is missing")
        #expect(failure(ExecSignalRequest.self, []) == "ExecSignalRequest.signal is missing")
        #expect(
            failure(ContainerSignalRequest.self, []) == "ContainerSignalRequest.signal is missing",
        )
    }

    @Test("An event without an exec has at least its names")
    func eventWithoutInfo() throws {
        let event = try ContainerLifecycleEvent.decode(bytes: hex("1a0163 220165"))
        #expect(event.info == ExecInfo(containerID: "c", execID: "e"))
    }
}

@Suite("Strings")
struct StringTests {
    /// The messages, each with one string that can be found again in its encoding.
    static let places: [(String, any WireMessage)] = {
        let mark = "\u{1}mark"
        func start(_ change: (inout Command) -> Void) -> SessionRequest {
            var command = Command(["a", "b"])
            change(&command)
            return .start(Start(containerID: "c", execID: "e", command: command))
        }
        func info(_ change: (inout ExecInfo) -> Void) -> ExecInfo {
            var info = ExecInfo(containerID: "c", execID: "e")
            change(&info)
            return info
        }
        let ok = ExecInfo(containerID: "c", execID: "e")
        return [
            ("HelloRequest.client", HelloRequest(client: mark)),
            ("HelloRequest.token", HelloRequest(client: "", token: mark)),
            ("Start.container_id", SessionRequest.start(Start(containerID: mark, execID: ""))),
            ("Start.exec_id", SessionRequest.start(Start(containerID: "", execID: mark))),
            ("Start.command.argv[1]", start { $0.argv[1] = mark }),
            ("Start.command.env[1].key", start { $0.environment = ["\u{0}": "", mark: ""] }),
            ("Start.command.env[0].value", start { $0.environment = ["k": mark] }),
            ("Start.command.working_dir", start { $0.workingDirectory = mark }),
            ("Start.command.user", start { $0.user = mark }),
            (
                "Start.command.terminal.term",
                start {
                    $0.terminal = Terminal(size: WindowSize(rows: 1, columns: 1), term: mark)
                }
            ),
            ("Start.command.labels[0].value", start { $0.labels = ["k": mark] }),
            (
                "Register.labels[0].key",
                PublishRequest.register(
                    Register(containerID: "", execID: "", labels: [mark: ""]),
                )
            ),
            (
                "PublishedExit.message",
                PublishRequest.exit(PublishedExit(code: 0, message: mark))
            ),
            ("Ready.info.argv[0]", SessionResponse.ready(Ready(info: info { $0.argv = [mark] }))),
            (
                "Exit.message",
                SessionResponse.exit(Exit(code: 0, reason: .natural, message: mark))
            ),
            (
                "ExecListResponse.execs[1].exit.message",
                ExecListResponse(
                    execs: [
                        ok,
                        info { $0.exit = Exit(code: 0, reason: .natural, message: mark) },
                    ],
                )
            ),
            ("ExecListRequest.container_id", ExecListRequest(containerID: mark)),
            ("ExecRemoveRequest.exec_id", ExecRemoveRequest(containerID: "", execID: mark)),
            (
                "ContainerLifecycleEvent.container_id",
                ContainerLifecycleEvent(
                    sequence: 0,
                    unixNS: 0,
                    kind: .started,
                    info: info { $0.containerID = mark },
                )
            ),
            (
                "ContainerControlResponse.message",
                ContainerControlResponse(success: true, message: mark)
            ),
            ("Request.method", CallRequest(service: "", method: mark)),
            (
                "Request.metadata[1].value",
                CallRequest(method: "", metadata: [("k", ""), ("k", mark)])
            ),
            (
                "Response.status.message",
                CallResponse(failure: ExecError(.notFound, mark))
            ),
        ]
    }()

    @Test("A string that is not UTF-8 is refused, and its field named")
    func notUTF8() throws {
        for (place, message) in Self.places {
            for bad in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]] as [[UInt8]] {
                let bytes = try replaceMark(in: message.encode(), with: bad)
                let type: any WireMessage.Type = type(of: message)
                let said = failure(type, bytes)
                #expect(said == "\(place) is not UTF-8")
            }
        }
    }

    @Test("A string survives whatever UTF-8 is in it, NULs as well")
    func survives() throws {
        let texts = ["\0", "a\0b\0", "é", "🧵\0", String(repeating: "x", count: 70_000)]
        for text in texts {
            let request = HelloRequest(client: text, token: text)
            #expect(try HelloRequest.decode(bytes: request.encode()) == request)
            var command = Command([text, "", text])
            command.environment = [text: text, "": ""]
            let start = SessionRequest.start(
                Start(containerID: text, execID: text, command: command),
            )
            #expect(try SessionRequest.decode(bytes: start.encode()) == start)
        }
    }

    /// Puts other bytes in the place of the mark, of the same length so that no other must change.
    private func replaceMark(in bytes: [UInt8], with bad: [UInt8]) throws -> [UInt8] {
        let mark = Array("\u{1}mark".utf8)
        let starts = bytes.indices.filter { bytes[$0...].starts(with: mark) }
        #expect(!starts.isEmpty)
        var bytes = bytes
        for start in starts {
            let filled = bad + Array(repeating: UInt8(ascii: "."), count: mark.count - bad.count)
            bytes.replaceSubrange(start..<start + mark.count, with: filled)
        }
        return bytes
    }
}
