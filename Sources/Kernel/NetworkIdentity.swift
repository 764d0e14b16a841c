internal import Glibc

/// Which machine's loopback addresses a process sees: they are others after a restart, on another
/// machine that shares a file system, and in a container with a network of its own.
package enum NetworkIdentity {
    /// The boot and the network namespace of this process; nil: it can't be told.
    package static var current: String? {
        guard let boot = try? Files.readSmall("/proc/sys/kernel/random/boot_id", max: 100),
            let namespace = target(of: "/proc/self/ns/net")
        else { return nil }
        let id = String(decoding: boot.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
        return id.isEmpty ? nil : "\(id) \(namespace)"
    }

    private static func target(of link: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(link, base, buffer.count)
            guard count > 0, count < buffer.count else { return nil }
            let bytes = buffer[..<count].map { UInt8(bitPattern: $0) }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
