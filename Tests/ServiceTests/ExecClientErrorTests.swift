import ExecClient
import ExecCore
import ExecModel
import ExecServer
import Testing

@Suite("The client's errors", .serialized, .timeLimit(.minutes(2)))
struct ExecClientErrorTests {
    @Test("name what is not there", arguments: Route.allCases)
    func notFound(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let missing = try key("missing")
                let calls: [() async throws -> Void] = [
                    { _ = try await client.attach(missing).exit() },
                    { _ = try await client.wait(missing, timeoutMS: 0) },
                    { _ = try await client.waitForExit(missing) },
                    { _ = try await client.signal(missing, SignalRequest(15)) },
                    { _ = try await client.stop(missing) },
                    { _ = try await client.remove(missing) },
                    { _ = try await client.containerStatus("test") },
                    { _ = try await client.signal(container: "test", SignalRequest(15)) },
                ]
                for call in calls {
                    let error = try await failure(call)
                    #expect(error.code == .notFound, "\(error)")
                    #expect(error.message.contains("test"), "\(error)")
                }
            }
        }
    }

    @Test("say that an exec has not come so far, whatever the number", arguments: [9, UInt64.max])
    func outOfRange(_ sequence: UInt64) async throws {
        try await Service.run { service in
            try await service.withClient { client in
                try await client.run(try key(), shell("echo one")).exit()
                var view = View()
                view.from = .after(sequence: sequence)
                let error = try await failure {
                    try await client.attach(try key(), view: view).exit()
                }
                #expect(error.code == .outOfRange)
            }
        }
    }

    @Test("refuse another command, and a publication, under a name that is taken")
    func alreadyExists() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                try await client.run(try key(), shell("exit 1")).exit()
                let run = try await failure {
                    try await client.run(try key(), shell("exit 2")).exit()
                }
                #expect(run.code == .alreadyExists)
                #expect(run.message.contains("test/one"))
                let publication = client.publish(try key())
                let publish = try await failure { _ = try await publication.finish(code: 0) }
                #expect(publish.code == .alreadyExists)
                #expect(try await client.waitForExit(try key())?.code == 1)
            }
        }
    }

    @Test(
        "say that a token is wrong or missing, and let nothing through",
        arguments: ["wrong", nil]
    )
    func unauthenticated(_ token: String?) async throws {
        try await Service.run { service in
            let client = try ExecClient(address: service.address(), token: token)
            defer { client.close() }
            let list = try await failure { _ = try await client.list() }
            #expect(list.code == .unauthenticated)
            let run = try await failure { try await client.run(try key(), shell("true")).exit() }
            #expect(run.code == .unauthenticated)
            #expect(service.registry.instances().isEmpty)
        }
    }

    @Test("say that nothing listens, and what to do", arguments: Route.allCases)
    func unavailable(_ route: Route) async throws {
        let address = try await Service.run { $0.address(route) }
        let client = try ExecClient(address: address, token: "right-token")
        defer { client.close() }
        let calls: [() async throws -> Void] = [
            { _ = try await client.list() },
            { _ = try await client.waitForExit(try key()) },
            { try await client.run(try key(), shell("true")).exit() },
            { _ = try await client.publish(try key()).finish(code: 0) },
            { for try await _ in client.containerEvents() {} },
        ]
        for call in calls {
            let error = try await failure(call)
            #expect(error.code == .unavailable)
            #expect(error.message.contains(address))
            #expect(error.message.contains("execstream serve"))
        }
    }

    @Test("refuse an address that is none", arguments: ["", "127.0.0.1:80", "tcp:host", "unix:"])
    func address(_ text: String) async throws {
        let error = try await failure { _ = try ExecClient(address: text) }
        #expect(error.code == .invalidArgument)
    }

    @Test("tell which field of a command is wrong")
    func invalid() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let error = try await failure {
                    try await client.run(try key(), Command([])).exit()
                }
                #expect(error.code == .invalidArgument)
                #expect(error.message.contains("argv"))
                #expect(try await client.run(try key(), shell("exit 6")).exit()?.code == 6)
            }
        }
    }

    @Test("end everything that waits on a client that is closed")
    func closed() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), shell("exec sleep 60"))
                var iterator = session.events.makeAsyncIterator()
                _ = try await iterator.next(isolation: nil)
                async let waited = failure { _ = try await client.waitForExit(try key()) }
                _ = try await client.list()
                client.close()
                let wait = try await waited
                #expect(wait.code == .cancelled)
                let error = try await failure {
                    while try await iterator.next(isolation: nil) != nil {}
                }
                #expect(error.code == .cancelled)
                #expect(try await failure { _ = try await client.list() }.code == .cancelled)
            }
        }
    }

    @Test("come once where a server ends: first the exit, then UNAVAILABLE")
    func serverEnds() async throws {
        try await Service.run { service in
            var options = ClientOptions()
            options.resumeLimit = .zero
            try await service.withClient(options: options) { client in
                let session = client.run(try key(), shell("exec sleep 60"))
                var iterator = session.events.makeAsyncIterator()
                _ = try await iterator.next(isolation: nil)
                await service.server.shutDown(grace: .zero)
                let exit = try #require(try await iterator.rest().exit)
                #expect(exit.cause == .shutdown)
                #expect(try await failure { _ = try await client.list() }.code == .unavailable)
            }
        }
    }
}
