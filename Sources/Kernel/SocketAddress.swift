/// Where a socket listens: "unix:/run/a.sock", "tcp:127.0.0.1:7070", "tcp:[::1]:7070".
package enum SocketAddress: Hashable, Sendable {
    /// A socket file.
    case unix(path: String)
    /// A name or number, without brackets. Port 0, for a listener: any that is free.
    case tcp(host: String, port: UInt16)

    /// The host as it was written; nil: it has none.
    package var host: String? {
        if case .tcp(let host, _) = self { return host }
        return nil
    }

    /// The longest path that a socket file can have, in bytes.
    package static let pathBytesMax = 107
}

/// What is wrong with an address, for people.
package struct AddressError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line that names the address and the problem.
    package let message: String
    package var description: String { message }
}

extension SocketAddress: CustomStringConvertible {
    /// Reads the form that `description` writes.
    package init(parsing text: String) throws(AddressError) {
        if let path = text.dropPrefix("unix:") {
            self = .unix(path: try SocketAddress.checkedPath(path, in: text))
        } else if let place = text.dropPrefix("tcp:") {
            self = try SocketAddress.tcp(place, in: text)
        } else {
            throw SocketAddress.problem(text, "it must start with 'unix:' or 'tcp:'")
        }
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port):
            host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }

    private static func checkedPath(
        _ path: Substring,
        in text: String,
    ) throws(AddressError) -> String {
        if path.isEmpty { throw problem(text, "the path is missing") }
        if path.utf8.contains(0) { throw problem(text, "the path contains a NUL byte") }
        if path.utf8.count > pathBytesMax {
            let count = path.utf8.count
            throw problem(text, "the path has \(count) bytes; \(pathBytesMax) is the most")
        }
        return String(path)
    }

    private static func tcp(_ place: Substring, in text: String) throws(AddressError) -> Self {
        guard let colon = place.lastIndex(of: ":"), place.last != "]" else {
            throw problem(text, "the port is missing, as in 'tcp:127.0.0.1:7070'")
        }
        var host = place[..<colon]
        let digits = place[place.index(after: colon)...]
        guard let port = UInt16(digits), digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw problem(text, "'\(digits)' is not a port: a number from 0 to 65535")
        }
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw problem(text, "an IPv6 host needs brackets, as in 'tcp:[::1]:7070'")
        }
        if host.isEmpty { throw problem(text, "the host is missing, as in 'tcp:127.0.0.1:7070'") }
        if host.utf8.contains(0) { throw problem(text, "the host contains a NUL byte") }
        return .tcp(host: String(host), port: port)
    }

    private static func problem(_ text: String, _ problem: String) -> AddressError {
        AddressError(message: "cannot use the address '\(text)': \(problem)")
    }
}

extension String {
    fileprivate func dropPrefix(_ prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
