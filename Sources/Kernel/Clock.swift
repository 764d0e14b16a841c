internal import Glibc

/// A moment of the monotonic clock. Means nothing to another machine, or after a reboot.
package struct Instant: Comparable, Hashable, Sendable {
    /// Since the clock's start.
    package var nanoseconds: UInt64

    /// The moment `nanoseconds` after the clock's start.
    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The moment `duration` later; stays in the clock's range instead of overflowing.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let delta = duration.wholeNanoseconds
        let (sum, overflow) =
            delta < 0
            ? instant.nanoseconds.subtractingReportingOverflow(delta.magnitude)
            : instant.nanoseconds.addingReportingOverflow(delta.magnitude)
        if overflow { return Instant(nanoseconds: delta < 0 ? 0 : .max) }
        return Instant(nanoseconds: sum)
    }

    /// The time from `right` to `left`; negative where `left` is the earlier.
    package static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(Int64(clamping: Int128(left.nanoseconds) - Int128(right.nanoseconds)))
    }
}

extension Duration {
    /// In nanoseconds, rounded towards zero, kept within ±292 years.
    package var wholeNanoseconds: Int64 {
        Int64(clamping: attoseconds / 1_000_000_000)
    }
}

/// The two clocks, handed in wherever time matters, so that tests can be the clock.
package protocol Clocks: Sendable {
    /// The monotonic clock: for durations and deadlines.
    var now: Instant { get }
    /// Nanoseconds of the Unix clock: for people and other machines. May jump.
    var unixNS: Int64 { get }
}

/// The machine's clocks.
package struct SystemClocks: Clocks {
    /// Stateless; make as many as you like.
    package init() {}

    package var now: Instant {
        let time = SystemClocks.read(CLOCK_MONOTONIC)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    package var unixNS: Int64 {
        let time = SystemClocks.read(CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        let answer = clock_gettime(clock, &time)
        precondition(answer == 0, "every Linux has clock \(clock)")
        return time
    }
}
