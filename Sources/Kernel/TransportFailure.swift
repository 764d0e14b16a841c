/// Why a connection can't go on.
package enum TransportFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The system's reason.
    case system(Errno)
    /// The peer went without the end that TLS has: it, or somebody in between, broke off.
    case cut
    /// One side refuses the other, or what came is no TLS.
    case tls(TLSFailure)

    /// For people.
    package var description: String {
        switch self {
        case .system(let errno): errno.description
        case .cut: "it ended without a word"
        case .tls(let failure): failure.description
        }
    }
}

/// What TLS can't do, or refuses.
package struct TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line for people.
    package let message: String
    /// The peer's first bytes are neither TLS nor HTTP.
    package var isPlainText = false

    package var description: String { message }
}
