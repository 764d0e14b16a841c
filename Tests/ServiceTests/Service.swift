import ExecModel
import ExecServer
import Glibc
import Kernel
import Synchronization
import Wire

/// A server of a test's own: a loopback port, a Unix socket, and a state directory that goes with it.
struct Service: Sendable {
    let server: ExecServer
    let port: UInt16
    let socketPath: String
    let directory: String
    let token = "right-token"
    /// Connections go to the loops in turn.
    let loopCount: Int

    var registry: ExecSessionRegistry { server.registry }

    /// Lends a running server to `body`, and shuts it down however that ends.
    static func run<R>(
        configure: (inout RegistryConfiguration) -> Void = { _ in },
        options change: (inout ServerOptions) -> Void = { _ in },
        _ body: (Service) async throws -> R,
    ) async throws -> R {
        let directory = temporaryDirectory()
        defer { try? Files.removeTree(directory) }
        var configuration = RegistryConfiguration(stateDirectory: directory)
        configure(&configuration)
        let socketPath = "\(directory)/socket"
        var options = ServerOptions(listen: ["tcp:127.0.0.1:0", "unix:\(socketPath)"])
        options.token = "right-token"
        options.loopCount = 2
        options.processes.baseEnvironment = ["PATH": "/usr/local/bin:/usr/bin:/bin"]
        change(&options)
        let server = try ExecServer(
            registry: ExecSessionRegistry(configuration: configuration),
            options: options
        )
        let addresses = try server.start()
        let port = addresses.first.flatMap { $0.split(separator: ":").last }.flatMap { UInt16($0) }
        let service = Service(
            server: server,
            port: port ?? 0,
            socketPath: socketPath,
            directory: directory,
            loopCount: options.loopCount,
        )
        do {
            let result = try await body(service)
            await server.shutDown(grace: .zero)
            return result
        } catch {
            await server.shutDown(grace: .zero)
            throw error
        }
    }

    /// A Session that starts `command`, from its own connection, until it ends.
    func run(
        _ argv: [String],
        as exec: String = "one",
        container: String = "test",
        _ change: (inout Command) -> Void = { _ in },
    ) throws -> Transcript {
        let client = try RawClient(self)
        var command = Command(argv)
        change(&command)
        try client.start(
            Start(containerID: container, execID: exec, command: command),
            id: 3
        )
        return try client.session(3)
    }
}

/// A new directory under /tmp, for one test.
func temporaryDirectory() -> String {
    guard let made = try? Files.makeTemporaryDirectory(in: "/tmp", prefix: "execstream-test-")
    else {
        preconditionFailure("no temporary directory")
    }
    return made
}
