import ExecCore
import ExecModel
import ExecServer
import Glibc
import Kernel
import Testing
import Wire

/// What this process holds of the machine, to be the same before and after.
private struct Holdings {
    var descriptors: Int
    var threads: Int
    var zombies: Int
    var cgroups: Int

    init() {
        descriptors = ((try? Files.list("/proc/self/fd")) ?? []).count
        // The runtime's own threads come and go.
        threads = ((try? Files.list("/proc/self/task")) ?? []).count { task in
            let name = (try? Files.readSmall("/proc/self/task/\(task)/comm", max: 64)) ?? []
            return String(decoding: name, as: UTF8.self).hasPrefix("execstream-")
        }
        zombies = ProcessTable.snapshot().processes.count {
            $0.parent == ThisProcess.pid && $0.hasEnded
        }
        cgroups = Self.groups("/sys/fs/cgroup", named: "execstream.\(ThisProcess.pid).")
    }

    /// Waits until no more is held than before: the last connection is closed a moment after its end.
    static func expectNoMore(than before: Holdings) async {
        let deadline = ContinuousClock.now + .seconds(10)
        var now = Holdings()
        while !now.isWithin(before), ContinuousClock.now < deadline {
            await Task.yield()
            now = Holdings()
        }
        #expect(now.isWithin(before), "\(now) is more than \(before)")
    }

    private func isWithin(_ other: Holdings) -> Bool {
        // A loop may not have had its name yet when it was looked at before; a leak is not one thread.
        descriptors <= other.descriptors && threads <= other.threads + 1
            && zombies <= other.zombies && cgroups <= other.cgroups
    }

    /// The groups below those of this name, wherever in the tree they are.
    private static func groups(_ directory: String, named name: String, isInside: Bool = false)
        -> Int
    {
        ((try? Files.list(directory)) ?? []).reduce(0) { count, entry in
            let path = "\(directory)/\(entry)"
            guard Files.isDirectory(path) else { return count }
            let isOurs = isInside || entry.hasPrefix(name)
            return count + (isOurs ? 1 : 0) + groups(path, named: name, isInside: isOurs)
        }
    }
}

@Suite("Many execs", .serialized, .timeLimit(.minutes(5)))
struct ManyExecsTests {
    /// Starts `count` execs over one connection, at most `window` at a time; answers their codes.
    private func run(
        _ count: Int,
        window: Int,
        _ service: Service,
        _ command: (Int) -> Command,
    ) throws -> [Int32?] {
        let client = try RawClient(service)
        var codes = [Int32?](repeating: nil, count: count)
        var (started, ended) = (0, 0)
        while ended < count {
            while started < count, started - ended < window {
                let start = Start(
                    containerID: "many\(started / 1_000)",
                    execID: "e\(started)",
                    command: command(started)
                )
                let payload = SessionRequest.start(start).encode()
                let id = UInt32(started * 2 + 3)
                try client.open("Session", payload, id: id, flags: .remoteOpen)
                started += 1
            }
            let frame = try client.next()
            try #require(frame.header.type == .data)
            guard !frame.isEnd else { continue }
            let message = try decode(SessionResponse.self, frame.payload)
            guard case .exit(let exit) = message else { continue }
            let number = Int(frame.header.streamID - 3) / 2
            #expect(codes[number] == nil)
            codes[number] = exit.code
            ended += 1
        }
        return codes
    }

    /// `EXECSTREAM_MANY_EXECS` makes it fewer, for sanitizers.
    static let many =
        getenv("EXECSTREAM_MANY_EXECS").flatMap { Int(String(cString: $0)) } ?? 10_000

    @Test(
        "10,000 of `true`, 64 at a time, all return 0 and leave nothing",
        arguments: Holding.allCases
    )
    func short(holding: Holding) async throws {
        try await Service.run(holding) { service in
            // The first log opens the state directory, which stays open.
            _ = try service.run(["echo", "first"])
            let before = Holdings()
            // Every hundredth is another one, so that a code that is always 0 would be seen.
            let codes = try run(Self.many, window: 64, service) { number in
                Command([number % 100 == 99 ? "false" : "true"])
            }
            for (number, code) in codes.enumerated() {
                #expect(code == (number % 100 == 99 ? 1 : 0))
            }
            await Holdings.expectNoMore(than: before)
        }
    }

    @Test("1,000 that end together are told 1,000 exits, and leave nothing")
    func together() async throws {
        try await Service.run { service in
            // The first log opens the state directory, which stays open.
            _ = try service.run(["echo", "first"])
            let before = Holdings()
            let gate = "\(service.directory)/gate"
            #expect(mkfifo(gate, 0o600) == 0)
            async let opened: Void = open(gate, once: 1_000, service)
            let codes = try run(1_000, window: 1_000, service) { number in
                Command(["sh", "-c", "echo; read x < \(gate); exit \(number % 256)"])
            }
            try await opened
            for (number, code) in codes.enumerated() { #expect(code == Int32(number % 256)) }
            await Holdings.expectNoMore(than: before)
        }
    }

    /// Lets all who read the gate go at once, when `count` execs run.
    private func open(_ gate: String, once count: Int, _ service: Service) async throws {
        var ready = 0
        while ready < count {
            ready = service.registry.instances().count { $0.info.stdoutBytes > 0 }
            await Task.yield()
        }
        // Reading too, so that it opens at once; who has not opened it yet finds it open and at its
        // end when this is closed, or waits for the next round.
        while service.registry.instances().contains(where: { $0.exit == nil }) {
            let writer = Glibc.open(gate, O_WRONLY | O_NONBLOCK)
            if writer >= 0 { Glibc.close(writer) }
            await Task.yield()
        }
    }
}
