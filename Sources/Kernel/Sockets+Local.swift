internal import Glibc

extension Sockets {
    /// Whether only this machine gets at the address: a Unix socket, or a host all of whose addresses
    /// are loopback ones. One that can't be resolved is not.
    package static func isLocal(_ address: SocketAddress) -> Bool {
        if case .unix = address { return true }
        guard let all = try? rawAddresses(of: address, forListening: true) else { return false }
        return !all.isEmpty && all.allSatisfy(\.isLoopback)
    }
}

extension RawAddress {
    /// 127.0.0.0/8, ::1, and the former written as IPv6.
    fileprivate var isLoopback: Bool {
        switch family {
        case AF_INET:
            guard let offset = MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) else {
                return false
            }
            return withUnsafeBytes(of: storage) { $0[offset] == 127 }
        case AF_INET6:
            guard let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) else {
                return false
            }
            return withUnsafeBytes(of: storage) { bytes in
                let address = Array(bytes[offset..<offset + 16])
                let one = [UInt8](repeating: 0, count: 15) + [1]
                let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 127]
                return address == one || address.starts(with: mapped)
            }
        default: return false
        }
    }
}
