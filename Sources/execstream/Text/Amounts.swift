/// Bytes and times as people read them, in few characters.
enum Amounts {
    /// `512 B`, `3.4 KiB`, `12 MiB`.
    static func bytes(_ count: UInt64) -> String {
        var value = Double(count)
        guard value >= 1024 else { return "\(count) B" }
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let tenths = Int((value * 10).rounded())
        let text = tenths < 100 ? "\(tenths / 10).\(tenths % 10)" : "\((tenths + 5) / 10)"
        return "\(text) \(units[unit])"
    }

    /// The two largest parts of a time: `0s`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`.
    static func time(seconds: Int64) -> String {
        let parts = [
            (seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"),
            (seconds % 60, "s"),
        ]
        guard let first = parts.firstIndex(where: { $0.0 > 0 }) else { return "0s" }
        return parts[first...].prefix(2).filter { $0.0 > 0 }
            .map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }

    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
}
