internal import Kernel

/// Both ends of all that connects a command with its exec. The child's ends block, ours do not.
struct CommandPipes: ~Copyable {
    private var childs: StandardDescriptors?
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
        childs = StandardDescriptors(
            stdin: input.takeChilds(),
            stdout: stdout.takeWriteEnd(),
            stderr: stderr.takeWriteEnd(),
        )
        self.stdout = stdout
        self.stderr = stderr
    }

    /// The child's ends of all three; once.
    mutating func takeChilds() -> StandardDescriptors {
        guard let ends = childs.take() else { preconditionFailure("the ends were taken") }
        return ends
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
