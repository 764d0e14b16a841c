package import ExecModel
internal import Kernel
internal import Synchronization

/// Runs commands as children of this very process, each in a session of its own and, where that can
/// be had, in a cgroup of its own.
///
/// Where it can't, offspring is found by its parents, its session, and a mark in its environment:
/// see `TracedOffspring`.
package final class LocalProcessHost: ProcessHost {
    private let services: LocalProcessServices
    private let starts = Atomic<UInt64>(0)
    /// What marks its processes, and nobody else's.
    private let server: String

    /// A host whose commands are started with these options.
    package init(_ options: ProcessOptions) {
        services = LocalProcessServices(options)
        server = randomBytes(8).map { String($0, radix: 16) }.joined()
    }

    package func start(
        _ command: Command,
        as key: ExecKey,
    ) throws(StartFailure) -> HostedProcess {
        let cgroup = try services.makeCgroup(for: command.limits, of: key)
        let mark = mark(for: command, cgroup)
        let startedAt = SystemClocks().now
        do throws(StartFailure) {
            let request = try request(for: command, mark: mark)
            var pipes = try CommandPipes.make(stdin: command.stdin)
            let child = try spawn(request, pipes, cgroup)
            let process = LocalProcess(
                child,
                of: key,
                cgroup: cgroup,
                mark: mark,
                startedAt: startedAt,
                services: services,
            )
            return HostedProcess(
                handle: process,
                stdin: pipes.ourStdin.take(),
                stdout: pipes.takeOurStdout(),
                stderr: pipes.takeOurStderr(),
            )
        } catch {
            cgroup?.remove()
            throw error
        }
    }

    /// Collects the orphans that have ended. From any thread.
    package func collectOrphans() { services.children.collectOrphans() }

    /// Kills what execs have left running, and gives back the cgroups. Nothing is started after it.
    package func close() {
        services.close(server: server)
    }

    private func spawn(
        _ request: SpawnRequest,
        _ pipes: borrowing CommandPipes,
        _ cgroup: Cgroup?,
    ) throws(StartFailure) -> ChildProcess {
        do throws(SpawnFailure) {
            return try services.children.start { () throws(SpawnFailure) in
                try Spawn.start(
                    request,
                    stdin: pipes.childStdin,
                    stdout: pipes.childStdout,
                    stderr: pipes.childStderr,
                    cgroup: cgroup,
                )
            }
        } catch {
            throw StartFailure(code: error.exitCode, message: error.message)
        }
    }

    /// What its offspring is known by where no cgroup holds it. An environment that is to be empty
    /// stays empty.
    private func mark(for command: Command, _ cgroup: Cgroup?) -> ProcessMark? {
        guard cgroup?.isWatchable != true, !command.clearEnvironment else { return nil }
        let number = starts.add(1, ordering: .relaxed).newValue
        return ProcessMark(server: server, exec: "\(server).\(number)")
    }

    private func request(
        for command: Command,
        mark: ProcessMark?,
    ) throws(StartFailure) -> SpawnRequest {
        var environment =
            command.clearEnvironment ? [:] : services.options.baseEnvironment
        environment.merge(command.environment) { _, new in new }
        if let mark {
            environment[ProcessMark.serverName] = mark.server
            environment[ProcessMark.execName] = mark.exec
        }
        var request = SpawnRequest(
            argv: command.argv,
            environment: environment.map { "\($0.key)=\($0.value)" },
        )
        if !command.workingDirectory.isEmpty {
            request.workingDirectory = command.workingDirectory
        }
        request.resourceLimits = limits(of: command)
        guard !command.user.isEmpty else { return request }
        do throws(UserLookupError) {
            request.user = try Users.lookup(command.user)
            return request
        } catch {
            throw StartFailure(code: 126, message: error.message)
        }
    }

    private func limits(of command: Command) -> [ResourceLimit] {
        if command.limits.openFilesMax > 0 {
            let max = command.limits.openFilesMax
            return [ResourceLimit(resource: ResourceLimit.openFiles, soft: max, hard: max)]
        }
        guard let soft = services.options.openFilesMax else { return [] }
        let hard = ResourceLimits.openFiles.hard
        return [ResourceLimit(resource: ResourceLimit.openFiles, soft: min(soft, hard), hard: hard)]
    }
}
