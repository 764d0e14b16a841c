internal import Glibc

/// The process that this code runs in.
package enum ThisProcess {
    /// Its number.
    package static var pid: Int32 { getpid() }

    /// Gives it /dev/null for each of stdin, stdout and stderr that it was started without: what is opened
    /// next would get that number, and be taken for it. Call it first in `main`.
    package static func completeStandardDescriptors() {
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) == -1 {
            // Gets the lowest number that is free, which is this one.
            guard open("/dev/null", O_RDWR) >= 0 else { return }
        }
    }

    /// The most memory that it has had resident.
    package static var peakMemoryBytes: UInt64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return UInt64(usage.ru_maxrss) * 1_024
    }
}
