/// A program that did not start. There is no process, and none to collect.
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
        self.init(
            step: .argument,
            errno: .invalid,
            exitCode: 126,
            message: "cannot start: \(argumentProblem)",
        )
    }

    /// A failure that the child reported. `exists`: the file that `errno` is about is there.
    init(step: Step, errno: Errno, exists: Bool, path: String?, of request: SpawnRequest) {
        self.step = step
        let program = request.argv.first ?? ""
        let isMissing =
            step == .execute && !exists
            && (errno == .notFound || errno == .notDirectory && request.isSearched)
        self.errno = isMissing ? .notFound : errno
        exitCode = isMissing ? 127 : 126
        if isMissing {
            let reason = request.isSearched ? "not found in PATH" : "not found"
            message = "cannot run '\(program)': \(reason)"
        } else if step == .execute {
            let reason = SpawnFailure.reason(errno, path: path, of: request)
            message = "cannot run '\(program)': \(reason)"
        } else {
            let action = SpawnFailure.action(step, of: request)
            message = "cannot start '\(program)': \(action): \(errno)"
        }
    }

    /// Why a file that is there did not run.
    private static func reason(_ errno: Errno, path: String?, of request: SpawnRequest) -> String {
        switch errno {
        case .notFound: return "its interpreter was not found"
        case .notExecutableFormat: return "not a program this machine can run (\(errno.name))"
        case .accessDenied:
            guard let path else { return errno.description }
            let base = path.hasPrefix("/") ? nil : request.workingDirectory
            let isDirectory = Files.isDirectory(base.map { "\($0)/\(path)" } ?? path)
            return isDirectory ? "it is a directory" : errno.description
        default: return errno.description
        }
    }

    private static func action(_ step: Step, of request: SpawnRequest) -> String {
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
}
