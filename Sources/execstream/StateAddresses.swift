internal import Kernel

/// Where the server of a state directory listens now: the file `addresses` in it, 0600, which the server
/// holds for as long as it runs.
///
/// The first line tells whose loopback addresses are meant, each further one is an address. By it a
/// client knows that a port on a loopback address is this server's, and not of somebody who has taken
/// the port of one that has ended: only then is the state's token shown there.
enum StateAddresses {
    private static let bytesMax = 64 << 10

    static func path(stateDirectory: String) -> String { stateDirectory + "/addresses" }

    /// Writes the file. It counts until the descriptor is closed.
    static func publish(
        _ addresses: [String],
        stateDirectory: String,
    ) throws(Errno) -> Descriptor {
        let lines = [NetworkIdentity.current ?? "unknown"] + addresses
        let text = lines.map { $0 + "\n" }.joined()
        return try Files.writeHeld(path(stateDirectory: stateDirectory), Array(text.utf8))
    }

    /// Whether the server of the state directory runs and listens on `address`, a loopback address in
    /// numbers.
    static func contain(_ address: SocketAddress, stateDirectory: String) -> Bool {
        guard case .tcp = address, Sockets.isLocal(address), let here = NetworkIdentity.current,
            let bytes = Files.readHeld(path(stateDirectory: stateDirectory), max: bytesMax)
        else { return false }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        guard lines.first == here else { return false }
        return lines.dropFirst().contains { line in
            (try? SocketAddress(parsing: line)).map { $0.covers(address) } ?? false
        }
    }
}

extension SocketAddress {
    /// Whether who listens here is who answers on `other`. Nobody else can listen on an address of the
    /// same family beside one who listens on all of them.
    fileprivate func covers(_ other: SocketAddress) -> Bool {
        if self == other { return true }
        guard case .tcp(let host, let port) = self, case .tcp(let otherHost, port) = other else {
            return false
        }
        return switch host {
        case "0.0.0.0": !otherHost.utf8.contains(UInt8(ascii: ":"))
        case "::": otherHost == "::1"
        default: false
        }
    }
}
