internal import Glibc

/// The process that this code runs in.
package enum ThisProcess {
    /// Its number.
    package static var pid: Int32 { getpid() }

    /// The most memory that it has had resident.
    package static var peakMemoryBytes: UInt64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return UInt64(usage.ru_maxrss) * 1_024
    }
}
