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
    /// Those that were marked.
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
        let place = Place(
            key: key,
            cgroup: cgroup,
            mark: mark(for: command, cgroup),
            startedAt: SystemClocks().now,
        )
        do throws(StartFailure) {
            let request = try request(for: command, mark: place.mark)
            guard let terminal = command.terminal else {
                return try start(request, stdin: command.stdin, in: place)
            }
            return try start(request, on: terminal, in: place)
        } catch {
            cgroup?.remove()
            throw error
        }
    }

    /// Kills what earlier servers have left running that were killed themselves, as far as cgroups hold
    /// it. Returns how many processes that were. Takes a moment; at the start.
    package func endLeftovers() -> Int { services.endLeftovers() }

    /// Collects the orphans that have ended. From any thread.
    package func collectOrphans() { services.children.collectOrphans() }

    /// Kills what execs have left running, and gives back the cgroups. Nothing is started after it.
    package func close(collectingOrphans: Bool) {
        services.closeCgroups()
        // All of /proc is looked through for marks only where some were given.
        if starts.load(ordering: .relaxed) > 0 { ProcessMark.killAll(ofServer: server) }
        if collectingOrphans { collectOrphans() }
    }

    /// With pipes, and an input where it is to have one.
    private func start(
        _ request: SpawnRequest,
        stdin: Bool,
        in place: Place,
    ) throws(StartFailure) -> HostedProcess {
        var pipes = try CommandPipes.make(stdin: stdin)
        let process = try spawn(
            request,
            stdin: pipes.childStdin,
            stdout: pipes.childStdout,
            stderr: pipes.childStderr,
            in: place,
        )
        return HostedProcess(
            handle: process,
            stdin: pipes.ourStdin.take(),
            stdout: pipes.takeOurStdout(),
            stderr: pipes.takeOurStderr(),
        )
    }

    /// On a terminal: one stream of output, and always an input.
    private func start(
        _ request: SpawnRequest,
        on terminal: ExecModel.Terminal,
        in place: Place,
    ) throws(StartFailure) -> HostedProcess {
        var sides = try TerminalSides.make(terminal.size, for: request.user)
        var request = request
        request.controllingTerminal = true
        let process = try spawn(
            request,
            stdin: sides.inner,
            stdout: sides.inner,
            stderr: sides.inner,
            in: place,
        )
        return HostedProcess(
            handle: process,
            stdin: sides.input.take(),
            stdout: sides.output.take(),
            stderr: nil,
            terminal: sides.terminal,
        )
    }

    private func spawn(
        _ request: SpawnRequest,
        stdin: borrowing Descriptor,
        stdout: borrowing Descriptor,
        stderr: borrowing Descriptor,
        in place: Place,
    ) throws(StartFailure) -> LocalProcess {
        services.children.startBegins()
        do throws(SpawnFailure) {
            let child = try Spawn.start(
                request,
                stdin: stdin,
                stdout: stdout,
                stderr: stderr,
                cgroup: place.cgroup,
            )
            services.children.startEnds(child.pid)
            return LocalProcess(
                child,
                of: place.key,
                cgroup: place.cgroup,
                mark: place.mark,
                startedAt: place.startedAt,
                services: services,
            )
        } catch {
            services.children.startEnds(nil)
            throw StartFailure(code: error.exitCode, message: error.message)
        }
    }

    /// What a process of its is known and held by.
    private struct Place {
        let key: ExecKey
        let cgroup: Cgroup?
        let mark: ProcessMark?
        /// From before the start.
        let startedAt: Instant
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
        if let terminal = command.terminal { environment["TERM"] = command.terminalName(terminal) }
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
