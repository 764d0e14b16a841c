import ExecClient
import ExecCore
import ExecLua
import ExecModel
import ExecServer
import Glibc
import Kernel
import Synchronization

/// Where a script's processes run.
enum Form: String, CaseIterable, Sendable, CustomStringConvertible {
    /// In a server of its own, in this process.
    case embedded
    /// In one that runs beside it, over a socket.
    case server

    var description: String { rawValue }
}

/// How a script has ended, and what it left.
struct Outcome: Sendable {
    var end: ScriptEnd
    /// What was reported meanwhile.
    var reports: [String]
    /// The execs that the server still knows; of an embedded one nothing is left to ask.
    var left: [ExecInfo]

    /// What the script failed with; empty where it did not.
    var failure: String {
        if case .failed(let message) = end { return message }
        return ""
    }
}

/// A place for one script: a directory, and in the form `server` a server.
struct Stage: Sendable {
    let form: Form
    let directory: String
    let server: ExecServer?

    /// Lends a stage to `body`; afterwards nothing of it is left.
    static func run<R>(_ form: Form, _ body: (Stage) async throws -> R) async throws -> R {
        ResourceLimits.raiseOpenFiles()
        let directory = try Files.makeTemporaryDirectory(in: "/tmp", prefix: "execstream-test-")
        defer { try? Files.removeTree(directory) }
        let server = form == .server ? try makeServer(directory) : nil
        do {
            let result = try await body(
                Stage(form: form, directory: directory, server: server),
            )
            await server?.shutDown(grace: .zero)
            return result
        } catch {
            await server?.shutDown(grace: .zero)
            throw error
        }
    }

    /// How commands are started.
    static var processes: ProcessOptions {
        var processes = ProcessOptions()
        processes.baseEnvironment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/"]
        return processes
    }

    private static func makeServer(_ directory: String) throws -> ExecServer {
        var options = ServerOptions(listen: ["unix:\(directory)/socket"])
        options.processes = processes
        let configuration = RegistryConfiguration(stateDirectory: "\(directory)/state")
        let server = try ExecServer(
            registry: ExecSessionRegistry(configuration: configuration),
            options: options,
        )
        _ = try server.start()
        return server
    }

    /// A script that has this text, to be run here.
    func script(
        _ text: String,
        arguments: [String] = [],
        reports: Reports = Reports(),
        _ change: (inout ScriptOptions) -> Void = { _ in },
    ) throws -> Script {
        let path = "\(directory)/script.lua"
        try Files.writeAtomically(path, Array(text.utf8))
        return script(at: path, arguments: arguments, reports: reports, change)
    }

    /// A script that is there, to be run here.
    func script(
        at path: String,
        arguments: [String] = [],
        reports: Reports = Reports(),
        _ change: (inout ScriptOptions) -> Void = { _ in },
    ) -> Script {
        var options = ScriptOptions(
            path: path,
            server: server == nil
                ? .embedded(Self.processes, directory: directory)
                : .server(address: "unix:\(directory)/socket", token: .none),
            report: { reports.add($0) },
        )
        options.arguments = arguments
        change(&options)
        return Script(options)
    }

    /// Runs a script to its end.
    func run(
        _ text: String,
        arguments: [String] = [],
        _ change: (inout ScriptOptions) -> Void = { _ in },
    ) async throws -> Outcome {
        let reports = Reports()
        let end = try await script(text, arguments: arguments, reports: reports, change).run()
        return outcome(end, reports)
    }

    func outcome(_ end: ScriptEnd, _ reports: Reports) -> Outcome {
        Outcome(
            end: end,
            reports: reports.all,
            left: server?.registry.instances().map(\.info) ?? []
        )
    }
}

/// What a script reports while it runs.
final class Reports: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// Runs a script on a stage of its own.
func run(
    _ form: Form = .embedded,
    _ text: String,
    arguments: [String] = [],
    _ change: (inout ScriptOptions) -> Void = { _ in },
) async throws -> Outcome {
    try await Stage.run(form) { stage in
        try await stage.run(text, arguments: arguments, change)
    }
}

/// What scripts of tests check themselves with. On one line, so that lines count from there.
let prelude = """
    local exec = require("exec"); \
    local function show(...) local t = table.pack(...); for i = 1, t.n do local v = t[i]; \
    t[i] = type(v) == "string" and string.format("%q", v) or tostring(v) end; \
    return t.n .. ": " .. table.concat(t, ", ") end; \
    local function expect(expected, ...) local got = show(...); \
    if got ~= expected then error("expected " .. expected .. "; got " .. got, 2) end end; \
    local function raises(message, f, ...) local ok, e = pcall(f, ...); \
    if ok then error("no error was raised", 2) end; \
    if not tostring(e):find(message, 1, true) then error("raised: " .. tostring(e), 2) end end; \
    local native = exec.get("process:native"); \
    local function start(command, options) local p = native:exec(command, options); p:start(); return p end; \
    local function all(stream) local t = {}; for piece in function() return stream:read() end do \
    t[#t + 1] = piece end; return table.concat(t) end;

    """

/// Waits until a process is gone: there is none of that number, or it is another's by now.
func isGone(_ pid: Int32) -> Bool { kill(pid, 0) == -1 && errno == ESRCH }

struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
