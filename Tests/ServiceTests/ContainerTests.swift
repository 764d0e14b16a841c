import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

@Suite("A container", .serialized, .timeLimit(.minutes(2)))
struct ContainerTests {
    private func control(
        _ method: Wire.Method,
        _ client: RawClient,
        id: UInt32,
    ) throws -> ContainerControl {
        let response = try client.call(method, ContainerControlRequest(containerID: "box"), id: id)
        if let error = response.status { throw error }
        return try decode(ContainerControl.self, response.payload)
    }

    /// What the exec has come to when it has had `milliseconds` more.
    private func info(
        of exec: String,
        after milliseconds: UInt64,
        _ client: RawClient,
        id: UInt32,
    ) throws -> ExecInfo {
        var request = ExecWaitRequest(containerID: "box", execID: exec)
        request.timeoutMS = milliseconds
        let response = try client.call(.execWait, request, id: id)
        if let error = response.status { throw error }
        return try decode(ExecWaitResponse.self, response.payload).info
    }

    private func start(_ script: String, as exec: String, _ service: Service) throws -> RawClient {
        let viewer = try RawClient(service)
        let command = Command(["sh", "-c", script])
        try viewer.start(Start(containerID: "box", execID: exec, command: command), id: 3)
        try viewer.waitForOutput("x\n", 3)
        return viewer
    }

    private static let writing = "while :; do echo x; sleep 0.01; done"

    @Test("that is paused writes nothing until it is resumed", arguments: Holding.allCases)
    func paused(holding: Holding) async throws {
        try await Service.run(holding) { service in
            let viewers = try ["a", "b"].map { try start(Self.writing, as: $0, service) }
            let client = try RawClient(service)
            let paused = try control(.containerPause, client, id: 3)
            #expect(paused.success)
            #expect(paused.execs == 2)
            let how = holding == .cgroup ? "froze 2 cgroups" : "SIGSTOP to 2 groups"
            #expect(paused.message == how)
            // What was in the pipes is still moved.
            let before = try info(of: "a", after: 100, client, id: 5)
            let after = try info(of: "a", after: 300, client, id: 7)
            #expect(before.state == .paused)
            #expect(before.stdoutBytes == after.stdoutBytes)
            let again = try? control(.containerPause, client, id: 9)
            #expect(again == nil)

            let resumed = try control(.containerResume, client, id: 11)
            #expect(resumed.success)
            var running = try info(of: "a", after: 0, client, id: 13)
            #expect(running.state == .running)
            for id in 10..<100 where running.stdoutBytes == after.stdoutBytes {
                running = try info(of: "a", after: 50, client, id: UInt32(id * 2 + 1))
            }
            #expect(running.stdoutBytes > after.stdoutBytes)
            for exec in ["a", "b"] {
                let key = try ExecKey(container: "box", exec: exec)
                try service.registry.instance(key).stop(.client)
            }
            for viewer in viewers {
                let said = try viewer.session(3)
                let states = said.responses.compactMap { response -> ExecState? in
                    if case .state(let state, _) = response { state } else { nil }
                }
                #expect(states.suffix(1) == [.running])
                #expect(said.exit?.signal == SIGTERM)
            }
        }
    }

    @Test(
        "that is paused gets a signal it traps when it goes on, and SIGKILL at once",
        arguments: Holding.allCases
    )
    func signalWhilePaused(holding: Holding) async throws {
        try await Service.run(holding) { service in
            let first = try start("trap 'exit 4' TERM; \(Self.writing)", as: "a", service)
            let second = try start(Self.writing, as: "b", service)
            let client = try RawClient(service)
            _ = try control(.containerPause, client, id: 3)
            let kill = ExecSignalRequest(
                containerID: "box",
                execID: "b",
                signal: SignalRequest(SIGKILL)
            )
            _ = try client.call(.execSignal, kill, id: 5)
            #expect(try second.session(3).exit?.signal == SIGKILL)
            let term = SignalRequest(SIGTERM)
            let request = ContainerSignalRequest(containerID: "box", signal: term)
            let response = try client.call(.containerSignal, request, id: 7)
            let control = try decode(ContainerControl.self, response.payload)
            #expect(control.message == "signal 15 to 1 exec")
            #expect(try info(of: "a", after: 200, client, id: 9).exit == nil)
            _ = try self.control(.containerResume, client, id: 11)
            #expect(try first.session(3).exit?.code == 4)
        }
    }

    @Test("that is paused is stopped politely", arguments: Holding.allCases)
    func stopWhilePaused(holding: Holding) async throws {
        try await Service.run(holding) { service in
            let viewer = try start("trap 'exit 6' TERM; \(Self.writing)", as: "a", service)
            let client = try RawClient(service)
            _ = try control(.containerPause, client, id: 3)
            let stop = ExecStopRequest(containerID: "box", execID: "a", graceMS: 5_000)
            _ = try client.call(.execStop, stop, id: 5)
            let exit = try #require(try viewer.session(3).exit)
            #expect((exit.code, exit.cause) == (6, .client))
        }
    }

    @Test("is NOT_FOUND where there is none, and can't be paused where nothing runs")
    func nothingThere() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let request = ContainerControlRequest(containerID: "box")
            let unknown = try client.call(.containerPause, request, id: 3).status
            #expect(unknown?.code == .notFound)
            _ = try service.run(["true"], container: "box")
            let status = try client.call(.containerPause, request, id: 5).status
            #expect(status?.code == .failedPrecondition)
            #expect(status?.message == "nothing of container box runs here")
            let resume = try client.call(.containerResume, request, id: 7).status
            #expect(resume?.message == "nothing of container box is paused")
        }
    }

    @Test("tells what it consumes", arguments: Holding.allCases)
    func usage(holding: Holding) async throws {
        try await Service.run(holding) { service in
            let viewer = try start("echo x; while :; do :; done", as: "a", service)
            let client = try RawClient(service)
            let request = ContainerStatusRequest(containerID: "box", includeResourceUsage: true)
            _ = try client.call(.containerStatus, request, id: 3)
            _ = try info(of: "a", after: 500, client, id: 5)
            let response = try client.call(.containerStatus, request, id: 7)
            let status = try decode(ContainerStatus.self, response.payload)
            let usage = try #require(status.resourceUsage)
            #expect(status.state == .running)
            // How much of it depends on what else runs.
            #expect((1...250).contains(usage.cpuPercent))
            #expect((100_000...100_000_000).contains(usage.memoryBytes))
            #expect(usage.pids == 1)
            try service.registry.instance(try ExecKey(container: "box", exec: "a")).stop(.client)
            #expect(try viewer.session(3).exit != nil)
        }
    }
}
