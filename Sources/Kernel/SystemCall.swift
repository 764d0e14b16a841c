internal import Glibc

// Kernel is the only floor that makes system calls, and knows nothing of execs: descriptors, files,
// pipes, sockets, the event loop, clocks, processes and signals live here; what they are used for
// does not. A descriptor's number and unsafe pointers into the kernel's structures stay inside.

/// The one place where a system call's answer is judged; in debug builds also where `Faults` come in.
///
/// - EINTR: the call is made again.
/// - EAGAIN: nil, where the caller says that it may happen; else an error.
/// - EBADF, EFAULT: our bug, and the number may be somebody else's descriptor by now, so it traps.
/// - Anything else is thrown.
enum SystemCall {
    /// Makes `call`, which answers a result or `-errno`; nil: it would have to wait.
    @inline(__always)
    static func unlessBlocked<T: FixedWidthInteger & SignedInteger>(
        _ name: StaticString = #function,
        file: StaticString = #fileID,
        line: UInt = #line,
        _ call: () -> T,
    ) throws(Errno) -> T? {
        while true {
            #if DEBUG
                let answer = Faults.due(file, line).map { T(-$0) } ?? call()
            #else
                let answer = call()
            #endif
            if answer >= 0 { return answer }
            switch Errno(Int32(-answer)) {
            case .interrupted: continue
            case .wouldBlock: return nil
            case let errno: throw fatal(errno, name)
            }
        }
    }

    /// Makes `call`, which answers a result or `-errno`.
    @inline(__always)
    @discardableResult
    static func value<T: FixedWidthInteger & SignedInteger>(
        _ name: StaticString = #function,
        file: StaticString = #fileID,
        line: UInt = #line,
        _ call: () -> T,
    ) throws(Errno) -> T {
        guard let answer = try unlessBlocked(name, file: file, line: line, call) else {
            throw .wouldBlock
        }
        return answer
    }

    private static func fatal(_ errno: Errno, _ name: StaticString) -> Errno {
        precondition(
            errno != .badDescriptor && errno != .badAddress,
            "\(name): \(errno): this program misused a descriptor or an address",
        )
        return errno
    }
}

/// Turns the C library's convention (-1 and `errno`) into the shims' (`-errno`).
@inline(__always)
func posix<T: FixedWidthInteger & SignedInteger>(_ answer: T) -> T {
    answer == -1 ? T(-errno) : answer
}
