/// The files of a server's TLS, in PEM. They are read at the start and when the server is told to
/// reload them.
public struct ServerTLS: Hashable, Sendable {
    /// The server's certificate, then those that lead to its CA.
    public var certificateFile: String
    /// Its key, without a passphrase.
    public var keyFile: String
    /// The CAs of clients, which must then show a certificate of theirs; nil: they need none. A
    /// certificate lets a client connect, no more: the token is asked for all the same.
    public var clientCAFile: String?

    /// A server with this certificate, for clients with or without one.
    public init(certificateFile: String, keyFile: String, clientCAFile: String? = nil) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.clientCAFile = clientCAFile
    }
}
