internal import ExecModel

/// Something that `exec.get` can be asked for, as a resource file describes it.
package struct Resource: Hashable, Sendable {
    /// What it is; only a `process` can be got.
    package var kind = "process"
    /// The server; nil: the script's own.
    package var address: String?
    /// The file with that server's token.
    package var tokenFile: String?
    /// The container that its processes belong to.
    package var container = "lua"
    /// Set in the environment of each process, under what the process's own options say.
    package var environment: [String: String] = [:]
    /// Where processes run that do not say.
    package var workingDirectory = ""
    /// The commands that it runs; nil: all.
    package var allowedCommands: [CommandRule]?
    /// Between SIGTERM and SIGKILL, in milliseconds; 0: the server's default.
    package var graceMS: UInt64 = 0
    /// Processes that have exited stay for the server's retention, for others to look at.
    package var keepsExited = false

    /// A process executor on the script's own server.
    package init() {}

    /// The resource that is always there.
    package static let native = "process:native"

    var isProcessExecutor: Bool { kind == "process" }
}

/// A command that a resource runs: the whole of it, or, with `*` as its last word, its first words with
/// any arguments that mean nothing to a shell.
package struct CommandRule: Hashable, Sendable {
    private let text: String

    package init(_ text: String) { self.text = text }

    /// Whether the command may run.
    package func allows(_ command: String) -> Bool {
        guard text.hasSuffix(" *") else { return command == text }
        let prefix = text.dropLast()
        return command == prefix.dropLast()
            || command.hasPrefix(prefix)
                && command.utf8.dropFirst(prefix.utf8.count).allSatisfy(Self.isPlain)
    }

    /// Nothing that a shell does more with than to hand it on; so neither quotes nor patterns.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            " -_./=:,@+%".utf8.contains(byte)
        }
    }
}
