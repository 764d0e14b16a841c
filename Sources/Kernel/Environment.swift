/// What this process was started with.
package enum Environment {
    /// Its variables. Values that are not UTF-8 are repaired.
    package static var variables: [String: String] {
        // From /proc, where they are bytes of known length, rather than from C's `environ`.
        let bytes = (try? Files.readSmall("/proc/self/environ", max: 16 << 20)) ?? []
        var variables: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            variables[name] = String(decoding: entry[(equals + 1)...], as: UTF8.self)
        }
        return variables
    }
}
