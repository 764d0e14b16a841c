import ExecClient
import ExecModel
import ExecServer
import Testing
import Wire

/// A row of PROTOCOL.md's table.
private enum Row: CaseIterable {
    case hello, attach, credit, detach, execWait, execList, containerLifecycle, containerStatus
    case start, join, stdin, closeStdin, resize, signal, publish, execSignal, execStop
    case execRemove, containerPause, containerResume, containerSignal

    /// What a refusal calls it, and the role that is needed; nil: it is never refused for its role.
    var needs: (String, role: String)? {
        switch self {
        case .hello, .credit, .detach: nil
        case .attach: ("Session", "view")
        case .execWait: ("ExecWait", "view")
        case .execList: ("ExecList", "view")
        case .containerLifecycle: ("ContainerLifecycle", "view")
        case .containerStatus: ("ContainerStatus", "view")
        case .start, .join: ("Session with a command", "run")
        case .stdin: ("stdin on a Session", "run")
        case .closeStdin: ("close_stdin on a Session", "run")
        case .resize: ("resize on a Session", "run")
        case .signal: ("signal on a Session", "run")
        case .publish: ("Publish", "run")
        case .execSignal: ("ExecSignal", "run")
        case .execStop: ("ExecStop", "run")
        case .execRemove: ("ExecRemove", "admin")
        case .containerPause: ("ContainerPause", "admin")
        case .containerResume: ("ContainerResume", "admin")
        case .containerSignal: ("ContainerSignal", "admin")
        }
    }

    /// A message of a Session that has to be attached first.
    var message: SessionRequest? {
        switch self {
        case .credit: .credit(1)
        case .stdin: .stdin([10])
        case .closeStdin: .closeStdin
        case .resize: .resize(WindowSize(rows: 2, columns: 2))
        case .signal: .signal(SignalRequest(18))
        default: nil
        }
    }
}

private let live = shell("exec sleep 60", stdin: true)

@Suite("Who may do what", .timeLimit(.minutes(1)))
struct RoleTableTests {
    private static let roles = ["view", "run", "admin"]
    private static let tokens = """
        view    view           token-of-view-0001
        run     run            token-of-run-0001
        admin   admin          token-of-admin-0001
        ciview  view:ci-,dev   token-of-ciview-0001
        cirun   run:ci-,dev    token-of-cirun-0001
        ciadmin admin:ci-,dev  token-of-ciadmin-0001
        """

    @Test("is as PROTOCOL.md has it: each call by each role, inside and outside of its containers")
    func table() async throws {
        let file = try TokensFile(Self.tokens)
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let owner = try RawClient(service)
            for (id, container) in [(3, "ci-1"), (5, "prod")] as [(UInt32, String)] {
                let start = Start(containerID: container, execID: "live", command: live)
                try owner.start(start, id: id)
                _ = try owner.ready(id)
            }
            for name in ["view", "run", "admin", "ciview", "cirun", "ciadmin"] {
                let client = Caller(try RawClient(service, token: "token-of-\(name)-0001"), name)
                for container in ["ci-1", "prod"] {
                    for row in Row.allCases {
                        let failure = try client.ask(row, of: container)
                        check(failure, row, name, container)
                    }
                }
            }
            try owner.sendEnd(id: 3)
        }
    }

    private func check(_ failure: ExecError?, _ row: Row, _ name: String, _ container: String) {
        let comment: Comment = "\(name): \(row) of \(container): \(String(describing: failure))"
        let role = name.hasPrefix("ci") ? String(name.dropFirst(2)) : name
        let isOutside = name.hasPrefix("ci") && container == "prod"
        let rank = { (role: String) in Self.roles.firstIndex(of: role) ?? 0 }
        guard let needs = row.needs else {
            // A message needs a Session, and that is refused already.
            #expect(isOutside || failure?.code != .permissionDenied, comment)
            return
        }
        let isLow = rank(role) < rank(needs.role)
        guard isLow || isOutside else {
            #expect(failure?.code != .permissionDenied, comment)
            return
        }
        #expect(failure?.code == .permissionDenied, comment)
        let message = failure?.message ?? ""
        #expect(message.hasPrefix("role \(role) "), comment)
        #expect(!message.contains("token-of"), comment)
        if isOutside, row.message != nil {
            #expect(message.contains("attach by Session"), comment)
        } else {
            #expect(message.contains(needs.0), comment)
        }
        let needed = isLow && !(isOutside && row.message != nil)
        let advice = needed ? "needs role \(needs.role)" : "begin with ci-, dev"
        #expect(message.contains(advice), comment)
    }

    @Test("shows a limited token its own containers only: in lists, and in events")
    func filtered() async throws {
        let file = try TokensFile(Self.tokens)
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let limited = try RawClient(service, token: "token-of-ciview-0001")
            try limited.open("ContainerLifecycle", id: 9, flags: .remoteClosed)
            // The subscription is there once a call behind it is answered.
            _ = try limited.call(.hello, HelloRequest(client: "x", token: ""), id: 11)
            for container in ["prod", "ci-1", "other", "devel"] {
                _ = try service.run(["true"], container: container)
            }
            var seen: [String] = []
            var last: UInt64 = 0
            while seen.count(where: { $0 == "devel" }) < 3 {
                let frame = try limited.next()
                guard frame.header.streamID == 9 else { continue }
                let event = try decode(LifecycleEvent.self, frame.payload)
                #expect(event.sequence > last)
                last = event.sequence
                seen.append(event.info.containerID)
            }
            #expect(Set(seen) == ["ci-1", "devel"])
            let list = try limited.call(.execList, ExecListRequest(), id: 13)
            let execs = try decode(ExecListResponse.self, list.payload).execs
            #expect(Set(execs.map(\.containerID)) == ["ci-1", "devel"])
        }
    }

    @Test("lets a viewer by role look on beside the exec's owner, and have no part in its stdin")
    func viewer() async throws {
        let file = try TokensFile(Self.tokens)
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let owner = try RawClient(service, token: "token-of-run-0001")
            let command = shell("read a; echo got $a; cat", stdin: true)
            try owner.start(Start(containerID: "c", execID: "e", command: command), id: 3)
            _ = try owner.ready(3)
            let viewer = try RawClient(service, token: "token-of-view-0001")
            #expect(try viewer.attach("c", "e", id: 3).stdinCredit == 0)
            try owner.send(SessionRequest.stdin(Array("this\n".utf8)), id: 3)
            // The last that may write: the viewer keeps nothing open.
            try owner.sendEnd(id: 3)
            #expect(try owner.session(3).exit?.code == 0)
            #expect(try viewer.session(3).text(.stdout) == "got this\n")
        }
    }

    @Test("is settled before anything else: what is not valid is not looked at")
    func first() async throws {
        let file = try TokensFile(Self.tokens)
        let path = file.path
        try await Service.run(options: { $0.tokensFile = path }) { service in
            let client = try RawClient(service, token: "token-of-ciview-0001")
            for (id, container) in [(3, "../x"), (5, "ci"), (7, "prod\u{1B}")] as [(UInt32, String)]
            {
                let request = ExecWaitRequest(containerID: container, execID: "e")
                let failure = try client.call(.execWait, request, id: id).status
                #expect(failure?.code == .permissionDenied)
                #expect(failure?.message.contains(container + " ") == false)
            }
        }
    }

    @Test("on a Unix socket is everything, for the server's own user")
    func unix() async throws {
        let lines = LogLines()
        try await Service.run(options: { $0.log = lines.log(.info) }) { service in
            try await service.withClient(.unix) { client in
                try await client.run(try key(), shell("exit 0")).exit()
                _ = try await client.remove(try key())
            }
        }
        #expect(lines.audit.count == 2)
        #expect(lines.audit.allSatisfy { $0.hasPrefix("uid:") }, "\(lines.audit)")
    }
}

/// A client that asks for one row after the other.
private final class Caller {
    private let client: RawClient
    private let name: String
    private var id: UInt32 = 101

    init(_ client: RawClient, _ name: String) { (self.client, self.name) = (client, name) }

    /// What came of it; nil: it was done.
    func ask(_ row: Row, of container: String) throws -> ExecError? {
        id += 2
        if row == .detach || row.message != nil { return try attach(row, container) }
        let exec = row == .join ? "live" : "\(name)-\(id)"
        switch row {
        case .attach:
            return try session(Start(containerID: container, execID: "live"))
        case .start:
            return try session(Start(containerID: container, execID: exec, command: shell("exit")))
        case .join:
            return try session(Start(containerID: container, execID: exec, command: live))
        case .publish:
            try client.open("Publish", id: id, flags: .remoteOpen)
            try client.send(
                PublishRequest.register(Register(containerID: container, execID: exec)),
                id: id
            )
            try client.sendEnd(id: id)
            return try client.response(id).status
        default:
            let (method, message) = Self.unary(row, container)
            try client.open(method.rawValue, message, id: id)
            return try client.response(id).status
        }
    }

    private func session(_ start: Start) throws -> ExecError? {
        try client.start(start, id: id)
        do {
            _ = try client.ready(id)
        } catch let error as ExecError {
            return error
        }
        try client.send(SessionRequest.detach, id: id)
        return try client.session(id).failure
    }

    private func attach(_ row: Row, _ container: String) throws -> ExecError? {
        try client.start(Start(containerID: container, execID: "live"), id: id)
        if let message = row.message { try client.send(message, id: id) }
        try client.send(SessionRequest.detach, id: id)
        return try client.session(id).failure
    }

    private static func unary(_ row: Row, _ container: String) -> (Wire.Method, [UInt8]) {
        let control = ContainerControlRequest(containerID: container)
        switch row {
        case .hello:
            return (.hello, HelloRequest(client: "x", token: "").encode())
        case .execWait:
            return (.execWait, ExecWaitRequest(containerID: container, execID: "live").encode())
        case .execList:
            return (.execList, ExecListRequest(containerID: container).encode())
        case .containerLifecycle:
            // Never reached: it is OUT_OF_RANGE where it is allowed.
            let request = ContainerLifecycleRequest(containerID: container, afterSequence: .max)
            return (.containerLifecycle, request.encode())
        case .containerStatus:
            return (.containerStatus, ContainerStatusRequest(containerID: container).encode())
        case .execSignal:
            let request = ExecSignalRequest(
                containerID: container,
                execID: "live",
                signal: SignalRequest(18)
            )
            return (.execSignal, request.encode())
        case .execStop:
            return (.execStop, ExecStopRequest(containerID: container, execID: "none").encode())
        case .execRemove:
            return (.execRemove, ExecRemoveRequest(containerID: container, execID: "none").encode())
        case .containerPause: return (.containerPause, control.encode())
        case .containerResume: return (.containerResume, control.encode())
        case .containerSignal:
            let request = ContainerSignalRequest(
                containerID: container,
                signal: SignalRequest(18)
            )
            return (.containerSignal, request.encode())
        default: preconditionFailure("\(row) is no unary call")
        }
    }
}
