import ExecModel
import Testing

@testable import ExecCore

@Suite("What is kept of a command")
struct CommandDigestTests {
    private static let command = {
        var command = Command(["a", "b"])
        command.environment = ["k": "v", "l": ""]
        command.labels = ["m": "w"]
        return command
    }()

    /// One change to each field; by name, so that a new field is missed here.
    private static let changes: [String: [@Sendable (inout Command) -> Void]] = [
        "argv": [
            { $0.argv = ["ab"] }, { $0.argv = ["a", "b", ""] }, { $0.argv = ["a", "c"] },
            { $0.argv = ["b", "a"] },
        ],
        "environment": [
            { $0.environment = [:] }, { $0.environment["k"] = "w" },
            { $0.environment = ["kv": "", "l": ""] }, { $0.environment = ["k": "vl", "": ""] },
        ],
        "clearEnvironment": [{ $0.clearEnvironment = true }],
        "workingDirectory": [{ $0.workingDirectory = "/" }],
        "terminal": [
            { $0.terminal = Terminal(size: WindowSize(rows: 0, columns: 0)) },
            { $0.terminal = Terminal(size: WindowSize(rows: 1, columns: 0)) },
            { $0.terminal = Terminal(size: WindowSize(rows: 0, columns: 1)) },
            { $0.terminal = Terminal(size: WindowSize(rows: 0, columns: 0), term: "x") },
        ],
        "stdin": [{ $0.stdin = true }],
        "timeoutMS": [{ $0.timeoutMS = 1 }],
        "graceMS": [{ $0.graceMS = 1 }],
        "stopSignal": [{ $0.stopSignal = 1 }],
        "drainMS": [{ $0.drainMS = 1 }],
        "user": [{ $0.user = "u" }],
        "limits": [
            { $0.limits.logBytesMax = 1 }, { $0.limits.memoryBytesMax = 1 },
            { $0.limits.pidsMax = 1 }, { $0.limits.cpuMillis = 1 },
            { $0.limits.openFilesMax = 1 },
        ],
        "labels": [{ $0.labels = [:] }, { $0.labels = ["mw": ""] }],
    ]

    @Test("tells it from every command that differs in anything")
    func differences() {
        let fields = Mirror(reflecting: Self.command).children.compactMap(\.label)
        #expect(Set(fields) == Set(Self.changes.keys))
        #expect(Mirror(reflecting: Limits()).children.count == Self.changes["limits"]?.count)
        var digests = [CommandDigest(Self.command)]
        for change in Self.changes.values.joined() {
            var command = Self.command
            change(&command)
            digests.append(CommandDigest(command))
        }
        #expect(Set(digests).count == digests.count)
    }

    @Test("is the same for the same command, in whatever order its environment was set")
    func sameness() {
        var (first, second) = (Command(["a"]), Command(["a"]))
        for number in 0..<500 { first.environment["k\(number)"] = "\(number)" }
        for number in (0..<500).reversed() { second.environment["k\(number)"] = "\(number)" }
        #expect(CommandDigest(first) == CommandDigest(second))
    }

    @Test("is no part of its environment")
    func environment() throws {
        try withDirectory { directory in
            let registry = ExecSessionRegistry(
                configuration: RegistryConfiguration(stateDirectory: directory)
            )
            var command = Command(["a"])
            command.environment["secret"] = "0123456789abcdef0123456789abcdef"
            let key = try ExecKey(container: "c", exec: "e")
            let instance = registry.make(key, command: command, labels: [:])
            var kept = ""
            dump(instance.command, to: &kept)
            #expect(!kept.isEmpty && !kept.contains("secret") && !kept.contains("89abcdef01"))
        }
    }

    @Test("A command has 1,024 labels, 131,072 arguments and 16,384 variables at most")
    func counts() throws {
        func check(_ change: (inout Command) -> Void) throws {
            var command = Command(["a"])
            change(&command)
            try command.check(logBytesMin: 1)
        }
        func numbered(_ count: Int) -> [String: String] {
            Dictionary(uniqueKeysWithValues: (0..<count).map { ("k\($0)", "") })
        }
        try check { $0.labels = numbered(1_024) }
        try check { $0.environment = numbered(16_384) }
        try check { $0.argv = Array(repeating: "a", count: 131_072) }
        #expect(throws: ExecError.self) { try check { $0.labels = numbered(1_025) } }
        #expect(throws: ExecError.self) { try check { $0.environment = numbered(16_385) } }
        #expect(throws: ExecError.self) {
            try check { $0.argv = Array(repeating: "a", count: 131_073) }
        }
    }
}
