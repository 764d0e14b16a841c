import ExecClient
import ExecModel
import Testing

@Suite("The client's publications and events", .serialized, .timeLimit(.minutes(2)))
struct ExecClientPublishTests {
    @Test("show both streams and the exit to viewers", arguments: Route.allCases)
    func publish(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let publisher = client.publish(try key(), labels: ["job": "42"])
                try await publisher.write(Array("early ".utf8), to: .stdout)
                let session = client.attach(try key())
                var iterator = session.events.makeAsyncIterator()
                guard case .ready(let ready)? = try await iterator.next(isolation: nil) else {
                    throw Unexpected("no ready came first")
                }
                #expect(ready.info.published)
                #expect(ready.info.labels == ["job": "42"])
                try await iterator.output("early ")
                try await publisher.write(Array("bad".utf8), to: .stderr)
                try await publisher.write([UInt8](repeating: 7, count: 300_000), to: .stdout)
                let exit = try await publisher.finish(code: 5, message: "as it was")
                #expect(exit.code == 5)
                #expect(exit.message == "as it was")
                #expect(exit.stdoutBytes == 300_006)
                let said = try await iterator.rest()
                #expect(said.text(.stderr) == "bad")
                #expect(said.bytes() == [UInt8](repeating: 7, count: 300_000))
                #expect(said.exit == exit)
                let late = try await failure { try await publisher.write([1], to: .stdout) }
                #expect(late.code == .failedPrecondition)
            }
        }
    }

    @Test("tell a signal that ended the exec")
    func signal() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let exit = try await client.publish(try key()).finish(code: 137, signal: 9)
                #expect(exit.code == 137)
                #expect(exit.signal == 9)
                #expect(exit.reason == .signal)
            }
        }
    }

    @Test("that break off are a RUNTIME_ERROR for their viewers", arguments: [true, false])
    func brokenOff(byClosing: Bool) async throws {
        try await Service.run { service in
            try await service.withClient { viewer in
                let publishing = try ExecClient(address: service.address(.unix))
                defer { publishing.close() }
                var publisher: Publisher? = publishing.publish(try key())
                try await publisher?.write(Array("half".utf8), to: .stdout)
                _ = try await publishing.list()
                let session = viewer.attach(try key())
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("half")
                if byClosing { publishing.close() }
                publisher = nil
                let exit = try #require(try await iterator.rest().exit)
                #expect(exit.reason == .runtimeError)
                #expect(exit.code == 255)
                #expect(exit.message.contains("publisher"))
                #expect(exit.stdoutBytes == 4)
            }
        }
    }

    @Test("fail with UNAVAILABLE when their connection breaks")
    func connectionBreaks() async throws {
        try await Service.run { service in
            let proxy = try CuttingProxy(to: service.port)
            defer { proxy.close() }
            let client = try ExecClient(address: proxy.address, token: service.token)
            defer { client.close() }
            let publisher = client.publish(try key())
            try await publisher.write(Array("half".utf8), to: .stdout)
            _ = try await client.list()
            proxy.cut()
            let error = try await failure {
                while true { try await publisher.write([1], to: .stdout) }
            }
            #expect(error.code == .unavailable)
            #expect(try await client.waitForExit(try key())?.reason == .runtimeError)
        }
    }

    @Test(
        "tell a container's events in order, and again from a sequence",
        arguments: Route.allCases
    )
    func events(_ route: Route) async throws {
        try await Service.run { service in
            try await service.withClient(route) { client in
                let events = client.containerEvents("test")
                try await client.run(try key("x", in: "other"), shell("true")).exit()
                try await client.run(try key(), shell("exit 3")).exit()
                try await client.remove(try key())
                var told: [LifecycleEvent] = []
                for try await event in events {
                    told.append(event)
                    if event.kind == .unregistered { break }
                }
                #expect(told.allSatisfy { $0.info.containerID == "test" && $0.missed == 0 })
                let kinds = told.map(\.kind).filter { $0 != .attached && $0 != .detached }
                #expect(kinds == [.registered, .started, .exited, .unregistered])
                #expect(told.first { $0.kind == .exited }?.info.exit?.code == 3)
                #expect(zip(told, told.dropFirst()).allSatisfy { $0.sequence < $1.sequence })

                let start = try #require(told.first).sequence
                var again: [LifecycleEvent] = []
                for try await event in client.containerEvents("test", afterSequence: start) {
                    again.append(event)
                    if event.kind == .unregistered { break }
                }
                #expect(again == Array(told.dropFirst()))

                let all = client.containerEvents(afterSequence: 1)
                #expect(try await all.next(.exited).info.containerID == "other")
            }
        }
    }

    @Test("refuse a sequence that the server has not come to")
    func impossibleSequence() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let error = try await failure {
                    for try await _ in client.containerEvents(afterSequence: 1000) {}
                }
                #expect(error.code == .outOfRange)
            }
        }
    }

    @Test("go on after a break with the event that follows")
    func eventsResume() async throws {
        try await Service.run { service in
            let proxy = try CuttingProxy(to: service.port)
            defer { proxy.close() }
            let client = try ExecClient(address: proxy.address, token: service.token)
            defer { client.close() }
            try await service.withClient { direct in
                let events = client.containerEvents("test")
                _ = try await client.list()
                var told: [LifecycleEvent] = []
                for name in ["one", "two", "three"] {
                    try await direct.run(try key(name), shell("exit 0")).exit()
                    try await direct.remove(try key(name))
                    for try await event in events {
                        told.append(event)
                        if event.kind == .unregistered { break }
                    }
                    proxy.cut()
                }
                #expect(zip(told, told.dropFirst()).allSatisfy { $0.sequence < $1.sequence })
                let kinds = told.map(\.kind).filter { $0 != .attached && $0 != .detached }
                let each: [LifecycleEvent.Kind] = [.registered, .started, .exited, .unregistered]
                #expect(kinds == each + each + each)
            }
        }
    }
}
