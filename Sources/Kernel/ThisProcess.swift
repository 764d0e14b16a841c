internal import CLinux
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

    /// Makes the allocator return blocks of 512 KiB and more to the system when they are freed. By default,
    /// it keeps blocks as large as the largest that was ever freed: a server would keep its peak.
    package static func returnFreedMemory() { el_return_freed_memory() }

    /// Has a crash end the process without a report: the one of Swift's runtime prints memory, and so
    /// secrets, to stderr. The runtime has set its handlers before `main`; what was ignored stays so.
    package static func forgoCrashReports() {
        for signal in [SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP] {
            var action = sigaction()
            guard sigaction(signal, nil, &action) == 0 else { continue }
            let isIgnored = withUnsafeBytes(of: action.__sigaction_handler) { handler in
                handler.loadUnaligned(as: UInt.self) == 1
            }
            if isIgnored { continue }
            action = sigaction()
            sigaction(signal, &action, nil)
        }
    }

    /// The most memory that it has had resident.
    package static var peakMemoryBytes: UInt64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return UInt64(usage.ru_maxrss) * 1_024
    }
}
