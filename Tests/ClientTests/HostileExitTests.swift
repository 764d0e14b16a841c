import Testing
import Wire

@testable import ExecClient

/// Whatever a server says of an exec's end, a program that ends with the code that the library hands out
/// must not turn a failure into a success.
@Suite(.timeLimit(.minutes(1))) struct HostileExitTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let code: Int32
        let signal: Int32
        let reason: ExitReason
        let told: Int32
        var testDescription: String { "code \(code), signal \(signal), \(reason)" }

        init(_ code: Int32, _ signal: Int32, _ reason: ExitReason, _ told: Int32) {
            (self.code, self.signal, self.reason, self.told) = (code, signal, reason, told)
        }

        var exit: Exit { Exit(code: code, reason: reason, signal: signal) }
    }

    static let cases: [Case] = [
        Case(0, 0, .natural, 0), Case(7, 0, .natural, 7), Case(137, 9, .signal, 137),
        Case(255, 0, .runtimeError, 255), Case(127, 0, .startFailed, 127),
        Case(256, 0, .natural, 255), Case(512, 0, .natural, 255), Case(-256, 0, .natural, 255),
        Case(65536, 0, .natural, 255), Case(.min, 0, .natural, 255), Case(.max, 0, .natural, 255),
        Case(-1, 0, .natural, 255), Case(0, 9, .signal, 137), Case(0, 9, .natural, 137),
        Case(0, 9, .unspecified, 137), Case(256, 9, .signal, 137), Case(3, 15, .signal, 143),
        Case(0, 256, .signal, 255), Case(0, -128, .signal, 255), Case(0, .min, .natural, 255),
        Case(0, .max, .signal, 255), Case(0, 0, .unspecified, 255), Case(0, 0, .signal, 255),
        Case(0, 0, .forcedKill, 255), Case(0, 0, .startFailed, 255),
        Case(0, 0, .runtimeError, 255),
    ]

    @Test(arguments: cases)
    func `a session, a wait, a list and a publication tell a code that can be`(
        _ example: Case,
    ) async throws {
        let exit = example.exit
        var info = ExecInfo(containerID: "c", execID: "e")
        info.state = .exited
        info.exit = exit
        let exited = info
        let publications = Seen<UInt32>()
        let server = try FakeServer { event, peer in
            switch event {
            case .request(.publish, _, let id): publications.add(id)
            case .request(.execWait, _, let id):
                peer.respond(ExecWaitResponse(info: exited), on: id)
            case .request(.execList, _, let id):
                peer.respond(ExecListResponse(execs: [exited]), on: id)
            case .message(let payload, let id):
                if !publications.all.contains(id) {
                    guard event.start != nil else { return }
                    peer.send(SessionTests.ready, on: id)
                    peer.send(SessionResponse.exit(exit), on: id)
                    return peer.end(id)
                }
                let request = try? PublishRequest.decode(payload.span.bytes)
                if case .exit? = request { peer.respond(PublishResponse(exit: exit), on: id) }
            default: break
            }
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let key = try ExecKey(container: "c", exec: "e")
        let seen = try await client.attach(key).exit()
        #expect(seen?.code == example.told)
        #expect(seen?.signal == (1...64 ~= example.signal ? example.signal : 0))
        #expect(try await client.waitForExit(key)?.code == example.told)
        #expect(try await client.list().execs.first?.exit?.code == example.told)
        let published = try await client.publish(key).finish(code: 0)
        #expect(published.code == example.told)
    }

    @Test func `what the server reported is in the message of an exit that can't be`() {
        let exit = Exit(code: 256, reason: .natural, message: "so").normalized()
        #expect(exit.reason == .runtimeError)
        #expect(exit.message.hasPrefix("so; its exit was reported as code 256, signal 0"))
        #expect(exit.normalized() == exit)
    }

    @Test func `an end of the process with a signal is never 0`() {
        #expect(Ended(code: 0, signal: 9).normalized() == Ended(code: 137, signal: 9))
        #expect(Ended(code: 256).normalized().code == 255)
        #expect(Ended(code: 0).normalized().code == 0)
    }

    @Test func `a server that says exited and not how is an error, for wait and for a session`()
        async throws
    {
        var info = ExecInfo(containerID: "c", execID: "e")
        info.state = .exited
        let withoutExit = info
        info.exit = Exit(code: 3, reason: .natural)
        let exited = info
        let server = try FakeServer { event, peer in
            if case .request(.execWait, _, let id) = event {
                peer.respond(ExecWaitResponse(info: withoutExit), on: id)
            }
            guard let (_, id) = event.start else { return }
            peer.send(SessionResponse.ready(Ready(info: exited)), on: id)
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let key = try ExecKey(container: "c", exec: "e")
        let waited = await #expect(throws: ExecError.self) {
            try await client.waitForExit(key)
        }
        #expect(waited?.code == .internalError)
        var view = View()
        view.noFollow = true
        let attached = await #expect(throws: ExecError.self) {
            try await client.attach(key, view: view).exit()
        }
        #expect(attached?.code == .aborted)
    }

    @Test func `a wait that is answered before its time is not repeated without a pause`()
        async throws
    {
        let calls = Seen<Int>()
        var info = ExecInfo(containerID: "c", execID: "e")
        info.state = .running
        let running = info
        let server = try FakeServer { event, peer in
            guard case .request(.execWait, _, let id) = event else { return }
            calls.add(1)
            peer.respond(ExecWaitResponse(info: running), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let exit = try await client.waitForExit(
            try ExecKey(container: "c", exec: "e"),
            timeout: .milliseconds(500),
        )
        #expect(exit == nil)
        #expect(calls.all.count < 20)
    }

    @Test func `a publisher's exit that can't be is not sent`() async throws {
        let seen = Seen<PublishRequest>()
        let server = try FakeServer { event, peer in
            guard case .message(let payload, let id) = event,
                let request = try? PublishRequest.decode(payload.span.bytes)
            else { return }
            seen.add(request)
            guard case .exit(let exit) = request else { return }
            let told = Exit(code: exit.code, reason: .natural)
            peer.respond(PublishResponse(exit: told), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let publisher = client.publish(try ExecKey(container: "c", exec: "e"))
        for (code, signal) in [(256, 0), (-1, 0), (7, 9), (0, 65), (0, -1)] as [(Int32, Int32)] {
            let error = await #expect(throws: ExecError.self) {
                try await publisher.finish(code: code, signal: signal)
            }
            #expect(error?.code == .invalidArgument)
        }
        #expect(try await publisher.finish(code: 0, signal: 9).code == 137)
        #expect(seen.all.last == .exit(PublishedExit(code: 137, signal: 9)))
        #expect(seen.all.count == 2)
    }
}
