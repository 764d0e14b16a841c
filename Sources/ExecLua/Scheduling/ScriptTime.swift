internal import CLuaBridge

/// Times as scripts give them: "1s", "1m30s", "2.5ms", or a number of seconds.
enum ScriptTime {
    /// The longest that is taken: some 292 years fit into the clock, and nobody means more than one.
    static let secondsMax: Double = 366 * 24 * 3600

    /// The time; nil: it is none.
    static func parse(_ text: String) -> Duration? {
        var rest = text[...]
        var seconds = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let factor = units[String(unit)], digits.first != ".", digits.last != ".",
                let count = Double(digits)
            else { return nil }
            seconds += count * factor
        }
        return duration(seconds: seconds)
    }

    /// The time; nil: it is negative, no number, or too long.
    static func duration(seconds: Double) -> Duration? {
        // Both are false of what is no number.
        guard seconds >= 0, seconds <= secondsMax else { return nil }
        return .nanoseconds(Int64((seconds * 1e9).rounded(.up)))
    }

    private static let units = ["us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600]
}

extension elua_time {
    /// The time; nil: it is none.
    var duration: Duration? {
        guard text.isGiven else { return ScriptTime.duration(seconds: seconds) }
        return text.string.flatMap(ScriptTime.parse)
    }

    /// What is wrong with it, where there is no `duration`.
    var problem: String {
        let given = text.isGiven ? "'\(text.string ?? "that")'" : "\(seconds)"
        return "\(given) is not a time such as \"1s\", \"250ms\", \"1m30s\" or 0.5 (seconds)"
    }
}
