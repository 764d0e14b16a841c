internal import ExecModel
internal import Kernel

/// What a command's environment is made of.
struct CommandEnvironment {
    /// The server's, as far as commands may have it.
    let base: [String: String]
    /// Whom the command runs as; nil: the server's own user.
    let account: UserAccount?
    let mark: ProcessMark?

    /// What another user gets of the server's environment. All else may be the server's secrets, or lead
    /// programs to files that are not that user's.
    private static let shared = ["PATH", "LANG", "TERM"]

    /// The environment, as "NAME=value".
    func entries(for command: Command) -> [String] {
        var environment = command.clearEnvironment ? [:] : initial
        environment.merge(command.environment) { _, new in new }
        if let mark {
            environment[ProcessMark.serverName] = mark.server
            environment[ProcessMark.execName] = mark.exec
        }
        if let terminal = command.terminal { environment["TERM"] = command.terminalName(terminal) }
        return environment.map { "\($0.key)=\($0.value)" }
    }

    private var initial: [String: String] {
        guard let account, account.ids.uid != ownUserID() else { return base }
        var environment = base.filter { Self.shared.contains($0.key) }
        environment["HOME"] = account.home
        environment["SHELL"] = account.shell
        environment["USER"] = account.name
        environment["LOGNAME"] = account.name
        return environment
    }
}
