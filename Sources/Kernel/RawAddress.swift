internal import CLinux
internal import Glibc

/// An address as the kernel has it.
struct RawAddress {
    private(set) var storage = sockaddr_storage()
    private(set) var length: socklen_t = 0

    var family: Int32 { Int32(storage.ss_family) }

    /// Lends it to a system call.
    func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafeBytes(of: storage) { bytes in
            guard let base = bytes.baseAddress else {
                preconditionFailure("storage has an address")
            }
            return body(base.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    /// What a call such as getsockname fills in.
    init(filledBy body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32) throws(Errno) {
        var (storage, length) = (sockaddr_storage(), socklen_t(MemoryLayout<sockaddr_storage>.size))
        try SystemCall.value {
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
            }
        }
        self.storage = storage
        self.length = length
    }

    private init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
        withUnsafeMutableBytes(of: &storage) { target in
            target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
        self.length = length
    }

    /// A socket file's. The path was checked for its length.
    init(unixPath path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            precondition(path.utf8.count < target.count, "a socket's path is too long")
            target.copyBytes(from: path.utf8)
        }
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: address) { target.copyMemory(from: $0) }
        }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
    }

    /// All that a name stands for, the best first. Asks the name servers, so it may take long, unless
    /// `host` is a number.
    static func resolve(
        host: String,
        port: UInt16,
        forListening: Bool,
    ) throws(ResolveFailure) -> [RawAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (forListening ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let answer = getaddrinfo(host, String(port), &hints, &list)
        if answer != 0 {
            throw ResolveFailure(
                errno: answer == EAI_SYSTEM ? Errno(errno) : .notFound,
                text: String(cString: gai_strerror(answer)),
            )
        }
        defer { freeaddrinfo(list) }
        var addresses: [RawAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                addresses.append(RawAddress(copying: address, length: entry.pointee.ai_addrlen))
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }

    /// The address in numbers; nil for a socket that has no name.
    var numeric: SocketAddress? {
        switch family {
        case AF_UNIX: return unixPath.map { .unix(path: $0) }
        case AF_INET, AF_INET6: return numericTCP
        default: return nil
        }
    }

    private var unixPath: String? {
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let path = withUnsafeBytes(of: storage) { bytes in
            String(decoding: bytes[start..<Int(length)].prefix { $0 != 0 }, as: UTF8.self)
        }
        return path.isEmpty ? nil : path
    }

    private var numericTCP: SocketAddress? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { host in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXSERV)) { port in
                let answer = with { address, length in
                    getnameinfo(
                        address,
                        length,
                        host.baseAddress,
                        socklen_t(host.count),
                        port.baseAddress,
                        socklen_t(port.count),
                        NI_NUMERICHOST | NI_NUMERICSERV,
                    )
                }
                guard answer == 0, let host = host.baseAddress, let port = port.baseAddress else {
                    return nil
                }
                return UInt16(String(cString: port)).map {
                    .tcp(host: String(cString: host), port: $0)
                }
            }
        }
    }
}

/// A name that stands for nothing, or could not be asked for.
struct ResolveFailure: Error {
    let errno: Errno
    let text: String
}
