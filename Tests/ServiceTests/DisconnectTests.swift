import ExecCore
import ExecModel
import Testing
import Wire

@Suite("An exec that is to stop a while after its last client has gone", .timeLimit(.minutes(1)))
struct DisconnectTests {
    private func start(afterMS: UInt64, _ service: Service) throws -> RawClient {
        let client = try RawClient(service)
        let command = shell("while :; do echo tick; sleep 0.05; done")
        var start = Start(containerID: "c", execID: "e", command: command)
        start.onDisconnect = OnDisconnect(stop: true, afterMS: afterMS)
        try client.start(start, id: 3)
        try client.waitForOutput("tick\n", 3)
        return client
    }

    @Test("stops then, and not before")
    func alone() async throws {
        try await Service.run { service in
            let client = try start(afterMS: 300, service)
            let clock = ContinuousClock()
            let left = clock.now
            client.close()
            let instance = try service.registry.instance(try ExecKey(container: "c", exec: "e"))
            let exit = try await instance.waitForExit()
            #expect((exit.cause, exit.code) == (.disconnect, 143))
            #expect(clock.now - left >= .milliseconds(300))
        }
    }

    @Test("goes on where somebody comes in time, and stops once that one has gone as well")
    func cameBack() async throws {
        try await Service.run { service in
            let first = try start(afterMS: 1_500, service)
            first.close()
            let instance = try service.registry.instance(try ExecKey(container: "c", exec: "e"))
            while instance.info.viewers > 0 { await Task.yield() }
            let second = try RawClient(service)
            _ = try second.attach("c", "e", id: 3)
            // Longer than the first one's absence may have lasted.
            let clock = ContinuousClock()
            let until = clock.now + .milliseconds(1_800)
            while clock.now < until { try second.waitForOutput("tick\n", 3) }
            #expect(instance.exit == nil)
            second.close()
            #expect(try await instance.waitForExit().cause == .disconnect)
        }
    }
}
