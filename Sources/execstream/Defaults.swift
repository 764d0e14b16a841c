/// Where things are when nobody says otherwise, for the server and its clients alike.
struct Defaults {
    /// What the program was started with.
    let environment: [String: String]
    /// Whether it runs as root.
    let isRoot: Bool

    /// The server's state: logs, the token, perhaps its socket; nil: neither `$XDG_STATE_HOME` nor
    /// `$HOME` is set, so the user has to say where.
    var stateDirectory: String? {
        if let path = directory("XDG_STATE_HOME") { return path + "/execstream" }
        if isRoot { return "/var/lib/execstream" }
        return directory("HOME").map { $0 + "/.local/state/execstream" }
    }

    /// Where a server listens, for a server with its state in `stateDirectory`.
    func listenAddress(stateDirectory: String) -> String {
        if let path = directory("XDG_RUNTIME_DIR") { return "unix:\(path)/execstream.sock" }
        return "unix:\(stateDirectory)/execstream.sock"
    }

    /// Where a client looks for the server; nil as for `stateDirectory`.
    var clientAddress: String? {
        if let address = environment["EXECSTREAM_ADDRESS"], !address.isEmpty { return address }
        if let path = directory("XDG_RUNTIME_DIR") { return "unix:\(path)/execstream.sock" }
        return stateDirectory.map { listenAddress(stateDirectory: $0) }
    }

    /// The file with the token of the server that has its state in `stateDirectory`.
    static func tokenFile(stateDirectory: String) -> String { stateDirectory + "/token" }

    /// The variable's value without a trailing `/`. The XDG specification has relative paths ignored.
    private func directory(_ variable: String) -> String? {
        guard let path = environment[variable], path.hasPrefix("/") else { return nil }
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        return trimmed.isEmpty ? nil : trimmed
    }
}
