import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

/// How an exec's offspring is held: by a cgroup where the machine gives one, and without.
enum Holding: CaseIterable, Sendable { case cgroup, traces }

extension Service {
    static func run<R>(
        _ holding: Holding,
        configure: (inout RegistryConfiguration) -> Void = { _ in },
        _ body: (Service) async throws -> R,
    ) async throws -> R {
        try await run(
            configure: configure,
            options: { $0.processes.usesCgroups = holding == .cgroup },
            body
        )
    }
}

@Suite("What a process starts", .serialized, .timeLimit(.minutes(2)))
struct ProcessTreeTests {
    /// Starts the script, waits until it says `ready` and lists pids, and returns those.
    private func start(
        _ script: String,
        on client: RawClient,
        _ change: (inout Command) -> Void = { _ in },
    ) throws {
        var command = Command(["sh", "-c", script])
        change(&command)
        try client.start(Start(containerID: "tree", execID: "one", command: command), id: 3)
    }

    /// Processes whose command line holds `mark`, zombies aside.
    private func living(_ mark: String) -> [Int32] {
        let all = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }
        return all.filter { pid in
            let line = (try? Files.readSmall("/proc/\(pid)/cmdline", max: 1 << 16)) ?? []
            return String(decoding: line, as: UTF8.self).contains(mark)
        }
    }

    /// A number of seconds to sleep that no other process sleeps: who sleeps it is ours.
    private func uniqueSleep() -> String { "30\(Int.random(in: 1_000_000...9_999_999))" }

    @Test(
        "does not outlive a stop, wherever it has gone",
        arguments: Holding.allCases,
        [
            "setsid sleep @ & echo ready; sleep @",
            "nohup sleep @ > /dev/null 2>&1 & echo ready; sleep @",
            "(setsid sleep @ > /dev/null 2>&1 &); echo ready; sleep @",
            "(setsid sh -c 'sleep @ & sleep @ & wait' &) ; echo ready; sleep @",
            "trap 'exit 0' TERM; (trap '' TERM; setsid sleep @ &) ; echo ready; sleep @ & wait",
        ]
    )
    func stopped(holding: Holding, script: String) async throws {
        try await Service.run(holding) { service in
            let time = uniqueSleep()
            let client = try RawClient(service)
            try start(script.replacing("@", with: time), on: client) { $0.graceMS = 500 }
            try client.waitForOutput("ready\n", 3)
            let instance = try service.registry.instance(
                try ExecKey(container: "tree", exec: "one")
            )
            try instance.stop(.client)
            let exit = try await instance.waitForExit()
            #expect(exit.cause == .client)
            #expect(exit.drained)
            #expect(living(time).isEmpty)
        }
    }

    @Test(
        "is asked to end where it is all that is left and holds the pipes",
        arguments: Holding.allCases
    )
    func stopWhileDraining(holding: Holding) async throws {
        try await Service.run(holding, configure: { $0.drain = .seconds(60) }) { service in
            let time = uniqueSleep()
            let client = try RawClient(service)
            // Ready once `sleep` runs: a signal to the shell that is about to become it is lost.
            let waiting = "until [ \"$(cat /proc/$!/comm)\" = sleep ]; do :; done; echo ready; wait"
            try start(
                "(trap 'echo asked; exit' TERM; sleep \(time) & \(waiting); while :; do :; done) & exit 4",
                on: client
            )
            try client.waitForOutput("ready\n", 3)
            let instance = try service.registry.instance(
                try ExecKey(container: "tree", exec: "one")
            )
            let began = ContinuousClock.now
            try instance.stop(.client)
            let said = try client.session(3)
            // By its signal, not by the end of the grace.
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(said.text(.stdout).contains("asked"))
            #expect((said.exit?.code, said.exit?.drained) == (4, true))
            #expect(living(time).isEmpty)
        }
    }

    @Test(
        "of many execs ends when all of them are stopped at once",
        arguments: [(Holding.cgroup, 1_000), (.traces, 200)]
    )
    func stoppedTogether(holding: Holding, most: Int) async throws {
        try await Service.run(holding) { service in
            let client = try RawClient(service)
            let count = min(most, ManyExecsTests.many / 10)
            for number in 0..<count {
                let command = Command(["sleep", "3000"])
                let start = Start(containerID: "all", execID: "e\(number)", command: command)
                let payload = SessionRequest.start(start).encode()
                let id = UInt32(number * 2 + 3)
                try client.open("Session", payload, id: id, flags: .remoteOpen)
            }
            while service.registry.instances().count < count { await Task.yield() }
            let began = ContinuousClock.now
            for instance in service.registry.instances() { try instance.stop(.client) }
            for instance in service.registry.instances() {
                #expect(try await instance.waitForExit().signal == SIGTERM)
            }
            #expect(ContinuousClock.now - began < .seconds(30))
        }
    }

    @Test(
        "may outlive a process that ends by itself, until the server ends",
        arguments: Holding.allCases
    )
    func leftAlone(holding: Holding) async throws {
        let time = uniqueSleep()
        try await Service.run(holding, configure: { $0.drain = .milliseconds(200) }) { service in
            let client = try RawClient(service)
            try start("setsid sleep \(time) > /dev/null 2>&1 & echo done; exit 3", on: client)
            let exit = try #require(try client.session(3).exit)
            #expect((exit.code, exit.drained) == (3, true))
            #expect(living(time).count == 1)
        }
        #expect(living(time).isEmpty)
    }

    @Test(
        "and holds its pipe is named, once the drain time has passed",
        arguments: Holding.allCases
    )
    func holder(holding: Holding) async throws {
        try await Service.run(holding, configure: { $0.drain = .milliseconds(200) }) { service in
            let time = uniqueSleep()
            let client = try RawClient(service)
            let began = ContinuousClock.now
            try start("sleep \(time) & echo done", on: client)
            let said = try client.session(3)
            let exit = try #require(said.exit)
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(said.text(.stdout) == "done\n")
            #expect((exit.code, exit.drained) == (0, false))
            #expect(exit.holderPIDs == living(time))
            // Whoever stops an exec that has exited means what it has left.
            try service.registry.instance(try ExecKey(container: "tree", exec: "one")).stop(.client)
            try await gone(time)
        }
    }

    /// Waits until nobody sleeps that time any more.
    private func gone(_ time: String) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !living(time).isEmpty, ContinuousClock.now < deadline { await Task.yield() }
        #expect(living(time).isEmpty)
    }
}
