internal import Glibc

/// How a process is made.
package enum SpawnMethod: Hashable, Sendable {
    /// By clone, and by fork where the kernel refuses that.
    case automatic
    /// By fork, as on a kernel that refuses the clone.
    case fork

    /// What starts use: fork where $EXECSTREAM_SPAWN_BY_FORK is set, for tools such as Valgrind that
    /// cannot follow a clone which shares memory.
    package static let standard: SpawnMethod =
        getenv("EXECSTREAM_SPAWN_BY_FORK") == nil ? .automatic : .fork
}

/// Who keeps count of the children that are made by starts. Any thread.
package protocol SpawnObserver: Sendable {
    /// A child is about to be made, and its number not known.
    func startBegins()
    /// It was made, and this is its number; nil: it was not. No time passes in between but the kernel's.
    func startEnds(_ pid: Int32?)
    /// A child whose start has failed has been collected.
    func collected(_ pid: Int32)
}

/// What becomes stdin, stdout and stderr of a program: kept until it runs, since a start may have to be
/// made again.
package struct StandardDescriptors: ~Copyable, Sendable {
    let stdin: Descriptor
    let stdout: Descriptor?
    let stderr: Descriptor?

    /// One for each.
    package init(
        stdin: consuming Descriptor,
        stdout: consuming Descriptor,
        stderr: consuming Descriptor,
    ) {
        self.stdin = stdin
        self.stdout = consume stdout
        self.stderr = consume stderr
    }

    /// The same for all three.
    package init(all: consuming Descriptor) {
        stdin = all
        stdout = nil
        stderr = nil
    }

    var numbers: (Int32, Int32, Int32) {
        let first = stdin.number
        return (first, stdout.lend { $0.number } ?? first, stderr.lend { $0.number } ?? first)
    }
}

/// Starts programs.
package enum Spawn {
    /// Starts a program with these three descriptors, which stay the caller's. Blocks the thread until it
    /// runs, or throws why it doesn't; never anything in between. Any thread that may wait: see
    /// `PendingSpawn` for those that may not.
    ///
    /// With a `cgroup` no instruction of the program runs outside of it, and what it starts is in it.
    package static func start(
        _ request: SpawnRequest,
        stdin: borrowing Descriptor,
        stdout: borrowing Descriptor,
        stderr: borrowing Descriptor,
        cgroup: Cgroup? = nil,
        method: SpawnMethod = .automatic,
    ) throws(SpawnFailure) -> ChildProcess {
        if let problem = request.argumentProblem { throw SpawnFailure(argumentProblem: problem) }
        let memory = SpawnMemory(request)
        var wasKilledAtBirth = false
        while true {
            let attempt = try SpawnAttempt(
                memory,
                standard: (stdin.number, stdout.number, stderr.number),
                cgroup: cgroup,
                entersCgroup: wasKilledAtBirth || cgroup?.killsNewborns == true,
                method: method,
                observer: nil,
            )
            attempt.waitForReport()
            guard let verdict = attempt.takeVerdict() else {
                preconditionFailure("a report that can be read is at its end")
            }
            if case .runs = verdict {
                // One with a memory limit may have been killed for that.
                if wasKilledAtBirth, !request.hasMemoryLimit { cgroup?.noteNewbornsKilled() }
                return attempt.takeProcess()
            }
            attempt.waitForEnd()
            switch verdict {
            case .unborn where attempt.isBornInCgroup: wasKilledAtBirth = true
            case .unborn: throw SpawnFailure(unborn: memory)
            case .failed(let failure): throw failure
            case .runs: preconditionFailure("returned above")
            }
        }
    }
}
