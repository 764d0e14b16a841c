internal import CLinux

/// A program that did not start. There is no process, and none to collect (but for one that was given up).
package struct SpawnFailure: Error, Hashable, Sendable {
    /// Where the start failed. Raw values are `el_spawn_step`'s.
    package enum Step: Int32, Hashable, Sendable {
        /// The request itself; no process was made.
        case argument = 0
        case clone = 1
        case session = 2
        case terminal = 3
        case descriptors = 4
        case directory = 5
        case limits = 6
        case groups = 7
        case user = 8
        case execute = 9
        case cgroup = 10
    }

    package let step: Step
    package let errno: Errno
    /// 127: there is no such program. 126: anything else.
    package let exitCode: Int32
    /// For people, one line: "cannot run 'nope': not found in PATH".
    package let message: String
}

extension SpawnFailure: CustomStringConvertible {
    package var description: String { message }
}

extension SpawnFailure {
    init(argumentProblem: String) {
        self.init(step: .argument, errno: .invalid, "cannot start: \(argumentProblem)")
    }

    /// Somebody gave the start up.
    init(cancelled message: String) { self.init(step: .clone, errno: .interrupted, message) }

    /// No process could be made.
    init(_ step: Step, _ errno: Errno, of memory: SpawnMemory) {
        let action = SpawnFailure.problem(step, of: memory.request)
        self.init(step: step, errno: errno, "cannot start '\(memory.program)': \(action): \(errno)")
    }

    /// The child was killed before its first instruction, for no reason that is known.
    init(unborn memory: SpawnMemory) {
        self.init(
            step: .clone,
            errno: .interrupted,
            "cannot start '\(memory.program)': the new process was killed before it could run anything"
        )
    }

    /// The child was killed by a signal on its way to the program.
    init(killedIn progress: el_spawn_progress, of memory: SpawnMemory) {
        let step = Step(progress)
        self.init(
            step: step,
            errno: .interrupted,
            "cannot start '\(memory.program)': the new process was killed while "
                + SpawnFailure.activity(step, progress, of: memory)
        )
    }

    /// The child has not come to its program in time.
    init(
        late progress: el_spawn_progress,
        isStopped: Bool,
        after duration: Duration,
        of memory: SpawnMemory,
    ) {
        let step = Step(progress)
        let what = isStopped ? "was stopped by a signal" : "hung"
        self.init(
            step: step,
            errno: .timedOut,
            "the start did not finish in \(duration.shortText): it \(what) while "
                + SpawnFailure.activity(step, progress, of: memory)
        )
    }

    /// A failure that the child reported.
    init(_ progress: el_spawn_progress, of memory: SpawnMemory) {
        let request = memory.request
        let step = Step(progress)
        let errno = Errno(progress.error)
        // With ENOENT, and the file there, its interpreter is missing.
        let isMissing =
            step == .execute && progress.exists == 0
            && (errno == .notFound || errno == .notDirectory && request.isSearched)
        guard step == .execute else {
            self.init(step, errno, of: memory)
            return
        }
        let reason =
            isMissing
            ? (request.isSearched ? "not found in PATH" : "not found")
            : SpawnFailure.reason(errno, isDirectory: progress.is_directory != 0)
        self.init(
            step: step,
            errno: isMissing ? .notFound : errno,
            exitCode: isMissing ? 127 : 126,
            message: "cannot run '\(memory.program)': \(reason)",
        )
    }

    private init(step: Step, errno: Errno, _ message: String) {
        self.init(step: step, errno: errno, exitCode: 126, message: message)
    }

    /// Why a file that is there did not run.
    private static func reason(_ errno: Errno, isDirectory: Bool) -> String {
        switch errno {
        case .notFound: "its interpreter was not found"
        case .notExecutableFormat: "not a program this machine can run (\(errno.name))"
        case .accessDenied where isDirectory: "it is a directory"
        default: errno.description
        }
    }

    private static func problem(_ step: Step, of request: SpawnRequest) -> String {
        switch step {
        case .argument: "the request is invalid"
        case .clone: "no process could be made"
        case .session: "no session could be made"
        case .terminal: "the terminal could not be taken"
        case .descriptors: "the descriptors could not be set up"
        case .directory: "cannot enter the directory '\(request.workingDirectory ?? "")'"
        case .limits: "a resource limit could not be set"
        case .groups: "the groups could not be taken on"
        case .user: "the user could not be taken on"
        case .execute: "it could not be run"
        case .cgroup: "its cgroup could not be entered"
        }
    }

    /// What the child does in a step, after "while".
    private static func activity(
        _ step: Step,
        _ progress: el_spawn_progress,
        of memory: SpawnMemory,
    ) -> String {
        switch step {
        case .argument, .clone: return "being created"
        case .session: return "making its session"
        case .terminal: return "taking its terminal"
        case .descriptors: return "setting up its descriptors"
        case .directory:
            return "entering the working directory '\(memory.request.workingDirectory ?? "")'"
        case .limits: return "setting its resource limits"
        case .groups: return "taking on its groups"
        case .user: return "taking on its user"
        case .execute:
            let index = Int(progress.candidate)
            let path = memory.candidates.indices.contains(index) ? memory.candidates[index] : ""
            return "running the program '\(path)'"
        case .cgroup: return "entering its cgroup"
        }
    }
}

extension SpawnFailure.Step {
    /// The step that a child is taking. One that has taken none is being made.
    fileprivate init(_ progress: el_spawn_progress) {
        if progress.step == 0 {
            self = .clone
            return
        }
        guard let step = SpawnFailure.Step(rawValue: progress.step) else {
            preconditionFailure("a start reports one of its steps, not \(progress.step)")
        }
        self = step
    }
}

extension SpawnMemory {
    fileprivate var program: String { request.argv.first ?? "" }
}

extension Duration {
    /// For people: "10 s", "250 ms".
    package var shortText: String {
        let milliseconds = wholeNanoseconds / 1_000_000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }
}
