internal import ExecModel

/// Reads the values of options and operands: text in, value or `ValueProblem` out.
enum Values {
    /// `500ms`, `30s`, `5m` or `2h`, in milliseconds.
    static func durationMS(_ text: String) throws(ValueProblem) -> UInt64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let factor: UInt64? =
            switch text.dropFirst(digits.count) {
            case "ms": 1
            case "s": 1000
            case "m": 60_000
            case "h": 3_600_000
            default: nil
            }
        guard let factor, let count = UInt64(digits) else {
            throw ValueProblem("'\(text)' is not a duration such as 500ms, 30s, 5m or 2h")
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: factor)
        // A year fits easily; more than Int64 nanoseconds would overflow on the server.
        guard !overflow, product <= UInt64(Int64.max) / 1_000_000 else {
            throw ValueProblem("'\(text)' is too long")
        }
        return product
    }

    /// As `durationMS`, for a field in which 0 means that none is given: no time at all is 1 ms.
    static func givenDurationMS(_ text: String) throws(ValueProblem) -> UInt64 {
        max(1, try durationMS(text))
    }

    /// A number of bytes; `K`, `M` and `G` count in powers of 1024.
    static func bytes(_ text: String) throws(ValueProblem) -> UInt64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let shift: UInt64? =
            switch text.dropFirst(digits.count) {
            case "": 0
            case "K": 10
            case "M": 20
            case "G": 30
            default: nil
            }
        guard let shift, let count = UInt64(digits), count <= UInt64.max >> (shift + 1) else {
            throw ValueProblem("'\(text)' is not a number of bytes such as 4096, 64K or 1M")
        }
        return count << shift
    }

    /// A number.
    static func number(_ text: String) throws(ValueProblem) -> UInt64 {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(text) else {
            throw ValueProblem("'\(text)' is not a number")
        }
        return value
    }

    /// A number such as 2 or 0.5, in thousandths.
    static func thousandths(_ text: String) throws(ValueProblem) -> UInt64 {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let digits = parts.count == 2 ? parts[1] : "0"
        guard let whole = try? number(String(parts[0])), !parts[0].isEmpty, !digits.isEmpty,
            digits.count <= 3, let part = try? number(String(digits)), whole <= 1_000_000
        else {
            throw ValueProblem("'\(text)' is not a number such as 2 or 0.5")
        }
        let scale: [UInt64] = [100, 10, 1]
        return whole * 1_000 + part * scale[digits.count - 1]
    }

    /// `TERM`, `SIGTERM` or `15`.
    static func signal(_ text: String) throws(ValueProblem) -> Int32 {
        guard let number = SignalNames.number(text) else {
            throw ValueProblem("'\(text)' is not a signal such as TERM, SIGTERM or 15")
        }
        return number
    }

    /// `C/E`.
    static func key(_ text: String) throws(ValueProblem) -> ExecKey {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw ValueProblem("'\(text)' is not CONTAINER/EXEC")
        }
        do {
            return try ExecKey(container: String(parts[0]), exec: String(parts[1]))
        } catch {
            throw ValueProblem("'\(text)': \(error.message)")
        }
    }

    /// A container's name.
    static func container(_ text: String) throws(ValueProblem) -> String {
        do {
            try ExecKey.check(text, field: "the container")
        } catch {
            throw ValueProblem("'\(text)': \(error.message)")
        }
        return text
    }

    /// `K=V`, many of them; the last of one key counts.
    static func pairs(_ texts: [String]) throws(ValueProblem) -> [String: String] {
        var result: [String: String] = [:]
        for text in texts {
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw ValueProblem("'\(text)' is not KEY=VALUE")
            }
            result[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return result
    }

    /// `keep`, `stop` or `stop:DUR`.
    static func onDisconnect(_ text: String) throws(ValueProblem) -> OnDisconnect {
        switch text {
        case "keep": return OnDisconnect(stop: false)
        case "stop": return OnDisconnect(stop: true)
        default:
            guard text.hasPrefix("stop:") else {
                throw ValueProblem("'\(text)' is not keep, stop or stop:DURATION")
            }
            return OnDisconnect(stop: true, afterMS: try durationMS(String(text.dropFirst(5))))
        }
    }

    /// `catch-up`, `drop` or `disconnect`.
    static func slowPolicy(_ text: String) throws(ValueProblem) -> SlowPolicy {
        switch text {
        case "catch-up": return .catchUp
        case "drop": return .drop
        case "disconnect": return .disconnect
        default: throw ValueProblem("'\(text)' is not catch-up, drop or disconnect")
        }
    }
}
