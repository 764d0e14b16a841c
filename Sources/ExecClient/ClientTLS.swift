internal import ExecModel
internal import Kernel

/// How a client makes TCP connections safe: TLS 1.3, to a server whose certificate names the host of
/// the address. The files are in PEM, and read when the client is made.
public struct ClientTLS: Hashable, Sendable {
    /// The CAs of servers; nil: the system's.
    public var caFile: String?
    /// The client's certificate, for servers that ask for one, then those that lead to its CA.
    public var certificateFile: String?
    /// Its key, without a passphrase.
    public var keyFile: String?

    /// With a certificate of the client's own, or without.
    public init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

extension ClientTLS {
    /// Reads the files. INVALID_ARGUMENT: one of them can't be used.
    func load() throws(ExecError) -> TLSContext {
        var identity: TLSIdentity?
        switch (certificateFile, keyFile) {
        case (let certificateFile?, let keyFile?):
            identity = TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)
        case (nil, nil): break
        default:
            throw ExecError(.invalidArgument, "a TLS certificate and its key go together")
        }
        do throws(TLSFailure) {
            return try TLSContext(trusting: caFile, as: identity)
        } catch {
            throw ExecError(.invalidArgument, error.message, cause: error)
        }
    }
}
