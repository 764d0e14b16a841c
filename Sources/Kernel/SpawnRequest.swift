internal import Glibc

/// Whom a process runs as.
package struct UserIDs: Hashable, Sendable {
    package var uid: UInt32
    package var gid: UInt32
    /// All supplementary groups; nothing else remains of the server's.
    package var groups: [UInt32]

    package init(uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }
}

/// One of setrlimit(2)'s limits.
package struct ResourceLimit: Hashable, Sendable {
    /// The kernel's number (RLIMIT_*), such as `ResourceLimit.openFiles`.
    package var resource: UInt32
    package var soft: UInt64
    package var hard: UInt64

    package init(resource: UInt32, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// No limit (RLIM_INFINITY).
    package static let infinity = UInt64.max

    /// RLIMIT_NOFILE: descriptors.
    package static let openFiles = UInt32(RLIMIT_NOFILE.rawValue)
}

/// A program to start. It always gets a session of its own, default signal dispositions, no blocked
/// signal, and no descriptor but stdin, stdout and stderr.
package struct SpawnRequest: Sendable {
    /// The program and its arguments. With a "/" the program is a path, from the working directory
    /// on; without, it is looked for in the PATH of `environment`.
    package var argv: [String]
    /// All of it, as "NAME=value".
    package var environment: [String]
    /// Nil: this process's own.
    package var workingDirectory: String?
    /// Nil: this process's own.
    package var user: UserIDs?
    /// Set on top of this process's own.
    package var resourceLimits: [ResourceLimit]
    /// Stdin is a terminal's inner side, and becomes the session's controlling terminal.
    package var controllingTerminal: Bool
    /// It is started into a cgroup that limits its memory. The kernel kills all who share the memory of a
    /// process that exceeds such a limit, so its child gets a copy of this process's memory.
    package var hasMemoryLimit = false
    /// For tests: before this step the child waits until the descriptor can be read.
    var hang: (step: SpawnFailure.Step, descriptor: Int32)?

    package init(
        argv: [String],
        environment: [String] = [],
        workingDirectory: String? = nil,
        user: UserIDs? = nil,
        resourceLimits: [ResourceLimit] = [],
        controllingTerminal: Bool = false,
    ) {
        self.argv = argv
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.resourceLimits = resourceLimits
        self.controllingTerminal = controllingTerminal
    }

    /// Where programs are looked for when the environment has no PATH.
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Whether the program is looked for in PATH.
    var isSearched: Bool {
        argv.first.map { !$0.utf8.contains(UInt8(ascii: "/")) } ?? false
    }

    /// The files to try, in order.
    var candidates: [String] {
        guard let program = argv.first, !program.isEmpty else { return [] }
        if !isSearched { return [program] }
        let path = environment.first { $0.hasPrefix("PATH=") }?.dropFirst(5)
        return (path ?? SpawnRequest.defaultPath[...])
            .split(separator: ":", omittingEmptySubsequences: false)
            // An empty part is the working directory: POSIX, XBD 8.3.
            .map { $0.isEmpty ? "./\(program)" : "\($0)/\(program)" }
    }

    /// What in the request no system call could carry; nil: all is well.
    var argumentProblem: String? {
        if argv.isEmpty { return "there is no program to run" }
        for (index, argument) in argv.enumerated() where argument.utf8.contains(0) {
            return index == 0
                ? "the program's name contains a NUL byte"
                : "argument \(index) contains a NUL byte"
        }
        for variable in environment where variable.utf8.contains(0) {
            let name = variable.utf8.prefix { $0 != UInt8(ascii: "=") && $0 != 0 }
            let shown = String(decoding: name, as: UTF8.self)
            return "the environment variable '\(shown)' contains a NUL byte"
        }
        if workingDirectory?.utf8.contains(0) == true {
            return "the working directory contains a NUL byte"
        }
        // To setresuid and its like this number means "leave as it is": the server's own user.
        if let user, user.uid == .max || user.gid == .max || user.groups.contains(.max) {
            return "no user or group has the number \(UInt32.max)"
        }
        return nil
    }
}
