/// A moment as RFC 3339 in UTC, to the microsecond: `2024-05-01T12:00:00.123456Z`.
package enum Timestamp {
    /// The text for nanoseconds of the Unix clock.
    package static func text(unixNS: Int64) -> String {
        let seconds = unixNS.floorDivided(by: 1_000_000_000)
        // By the remainder: seconds in nanoseconds again could be below the smallest number.
        let nanos = unixNS % 1_000_000_000
        let micros = (nanos < 0 ? nanos + 1_000_000_000 : nanos) / 1000
        let days = seconds.floorDivided(by: 86400)
        let (year, month, day) = civilDate(daysSinceEpoch: days)
        let rest = seconds - days * 86400
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
            + "T\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
            + ".\(padded(micros, 6))Z"
    }

    /// The proleptic Gregorian date, counted in eras of 400 years that begin on 1 March.
    private static func civilDate(daysSinceEpoch: Int64) -> (Int64, Int64, Int64) {
        let shifted = daysSinceEpoch + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = "\(value)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
