internal import ExecModel
internal import Kernel

/// Where a server may listen: on TCP without TLS only where nobody else's machine gets at it. Output,
/// input and the token would be there for whoever is in between.
struct ListenPolicy {
    let hasTLS: Bool
    let allowsInsecureTCP: Bool

    /// The addresses on which everybody can read along, which somebody has allowed. Throws
    /// FAILED_PRECONDITION where nobody has, and INVALID_ARGUMENT for what is no address.
    func insecure(among addresses: [String]) throws(ExecError) -> [String] {
        var insecure: [String] = []
        for text in addresses {
            let address: SocketAddress
            do throws(AddressError) {
                address = try SocketAddress(parsing: text)
            } catch {
                throw ExecError(.invalidArgument, error.message)
            }
            if hasTLS || Sockets.isLocal(address) { continue }
            guard allowsInsecureTCP else {
                throw ExecError(
                    .failedPrecondition,
                    "refusing to listen on \(text) without TLS: it is no loopback address; give"
                        + " --tls-cert and --tls-key, or --insecure",
                )
            }
            insecure.append(text)
        }
        return insecure
    }
}
