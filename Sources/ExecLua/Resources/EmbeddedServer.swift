internal import ExecCore
internal import ExecModel
internal import ExecServer
internal import Kernel

/// A server for one script, in its own process: it listens on a socket in a directory that nobody else
/// can enter and that goes with it. So a script takes the same path to it as to any other server.
final class EmbeddedServer: Sendable {
    /// Where it listens.
    let address: String
    private let server: ExecServer
    private let directory: String

    /// Starts it; the directory is made in `parent`.
    init(_ processes: ProcessOptions, parent: String) throws(ExecError) {
        do throws(Errno) {
            directory = try Files.makeTemporaryDirectory(in: parent, prefix: "execstream-lua-")
        } catch {
            throw ExecError(
                .failedPrecondition,
                "no directory can be made in '\(parent)': \(error)"
            )
        }
        do throws(ExecError) {
            var configuration = RegistryConfiguration(stateDirectory: "\(directory)/state")
            // A script may put all into one container.
            configuration.instancesPerContainerMax = configuration.instancesMax
            var options = ServerOptions(listen: ["unix:\(directory)/socket"])
            options.processes = processes
            // There is one connection, and it lives on one loop.
            options.loopCount = 1
            // Each process is a call, and each that is waited for in another way is one more.
            options.streamsPerConnectionMax = 2 * configuration.instancesMax
            let state = try StateDirectory(configuration.stateDirectory)
            server = try ExecServer(
                registry: ExecSessionRegistry(configuration: configuration, in: state),
                options: options,
            )
            address = try server.start().first ?? ""
        } catch {
            try? Files.removeTree(directory)
            throw error
        }
    }

    /// Kills what still runs, and removes all traces.
    func shutDown() async {
        await server.shutDown(grace: .zero)
        try? Files.removeTree(directory)
    }
}
