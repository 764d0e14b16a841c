internal import ExecServer

/// The program's own version: the libraries' that it is made of.
enum Version {
    static let text = ServerOptions.version
}
