package import ExecModel
internal import Kernel

/// Runs commands as children of this very process, each in a session of its own.
package struct LocalProcessHost: ProcessHost {
    private let baseEnvironment: [String: String]

    /// - Parameter baseEnvironment: what every command starts with, unless it clears it.
    package init(baseEnvironment: [String: String]) { self.baseEnvironment = baseEnvironment }

    package func start(_ command: Command) throws(StartFailure) -> HostedProcess {
        let request = try request(for: command)
        var pipes = try CommandPipes.make(stdin: command.stdin)
        do throws(SpawnFailure) {
            let child = try Spawn.start(
                request,
                stdin: pipes.childStdin,
                stdout: pipes.childStdout,
                stderr: pipes.childStderr,
            )
            return HostedProcess(
                handle: LocalProcess(child),
                stdin: pipes.ourStdin.take(),
                stdout: pipes.takeOurStdout(),
                stderr: pipes.takeOurStderr(),
            )
        } catch {
            throw StartFailure(code: error.exitCode, message: error.message)
        }
    }

    private func request(for command: Command) throws(StartFailure) -> SpawnRequest {
        var environment = command.clearEnvironment ? [:] : baseEnvironment
        environment.merge(command.environment) { _, new in new }
        var request = SpawnRequest(
            argv: command.argv,
            environment: environment.map { "\($0.key)=\($0.value)" },
        )
        if !command.workingDirectory.isEmpty {
            request.workingDirectory = command.workingDirectory
        }
        guard !command.user.isEmpty else { return request }
        do throws(UserLookupError) {
            request.user = try Users.lookup(command.user)
            return request
        } catch {
            throw StartFailure(code: 126, message: error.message)
        }
    }
}

/// Both ends of all that connects a command with its exec. The child's ends block, ours do not.
private struct CommandPipes: ~Copyable {
    let childStdin: Descriptor
    let childStdout: Descriptor
    let childStderr: Descriptor
    var ourStdin: Descriptor?
    private var stdout: PipeEnds
    private var stderr: PipeEnds

    static func make(stdin: Bool) throws(StartFailure) -> CommandPipes {
        do throws(Errno) {
            return try CommandPipes(stdin: stdin)
        } catch {
            throw StartFailure(code: 126, message: "its pipes can't be made: \(error)")
        }
    }

    private init(stdin: Bool) throws(Errno) {
        // Made before anything is stored: a noncopyable value can't be half initialized.
        var stdout = try Pipe.make(nonBlockingRead: true)
        var stderr = try Pipe.make(nonBlockingRead: true)
        var input = try StdinEnds(isPipe: stdin)
        ourStdin = input.ours.take()
        childStdin = input.takeChilds()
        childStdout = stdout.takeWriteEnd()
        childStderr = stderr.takeWriteEnd()
        self.stdout = stdout
        self.stderr = stderr
    }

    mutating func takeOurStdout() -> Descriptor { stdout.takeReadEnd() }

    mutating func takeOurStderr() -> Descriptor { stderr.takeReadEnd() }
}

/// Both ends of a command's stdin; of `/dev/null` there is only one.
private struct StdinEnds: ~Copyable {
    var ours: Descriptor?
    private var childs: Descriptor?

    init(isPipe: Bool) throws(Errno) {
        guard isPipe else {
            childs = try Files.open("/dev/null", .readOnly)
            return
        }
        var pipe = try Pipe.make(nonBlockingWrite: true)
        ours = pipe.takeWriteEnd()
        childs = pipe.takeReadEnd()
    }

    mutating func takeChilds() -> Descriptor {
        guard let end = childs.take() else { preconditionFailure("the end was taken") }
        return end
    }
}
