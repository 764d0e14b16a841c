internal import CLinux
internal import Glibc

/// A system call's refusal, as the kernel numbers them.
package struct Errno: Error, RawRepresentable, Hashable, Sendable {
    /// The C number.
    package let rawValue: Int32

    /// Takes the C number as it is.
    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Takes the C number as it is.
    package init(_ number: Int32) {
        self.init(rawValue: number)
    }

    /// The C name, such as "ENOENT"; the number where there is none.
    package var name: String {
        guard let name = el_errno_name(rawValue) else { return "errno \(rawValue)" }
        return String(cString: name)
    }

    /// What it means, such as "No such file or directory".
    package var text: String {
        guard let text = el_errno_text(rawValue) else { return "Unknown error" }
        return String(cString: text)
    }
}

extension Errno {
    /// Nothing is wrong but that something is used up at this moment: later the same may succeed.
    package var isShortage: Bool {
        [.descriptorsUsedUp, .systemDescriptorsUsedUp, .outOfMemory].contains(self)
    }
}

extension Errno: CustomStringConvertible {
    /// The meaning and the name: "No such file or directory (ENOENT)".
    package var description: String { "\(text) (\(name))" }
}

extension Errno {
    /// EPERM.
    package static let notPermitted = Errno(EPERM)
    /// ENOENT.
    package static let notFound = Errno(ENOENT)
    /// ESRCH.
    package static let noSuchProcess = Errno(ESRCH)
    /// EINTR.
    package static let interrupted = Errno(EINTR)
    /// EIO; also what a terminal's master reads once its other side is gone.
    package static let inputOutput = Errno(EIO)
    /// EBADF.
    package static let badDescriptor = Errno(EBADF)
    /// EAGAIN, which is also EWOULDBLOCK.
    package static let wouldBlock = Errno(EAGAIN)
    /// EACCES.
    package static let accessDenied = Errno(EACCES)
    /// EFAULT.
    package static let badAddress = Errno(EFAULT)
    /// EBUSY.
    package static let busy = Errno(EBUSY)
    /// EEXIST.
    package static let exists = Errno(EEXIST)
    /// ENOTDIR.
    package static let notDirectory = Errno(ENOTDIR)
    /// EISDIR.
    package static let isDirectory = Errno(EISDIR)
    /// EINVAL.
    package static let invalid = Errno(EINVAL)
    /// ENFILE: the machine has no descriptor left.
    package static let systemDescriptorsUsedUp = Errno(ENFILE)
    /// EMFILE: this process has no descriptor left.
    package static let descriptorsUsedUp = Errno(EMFILE)
    /// EFBIG.
    package static let tooLarge = Errno(EFBIG)
    /// ENOSPC.
    package static let noSpace = Errno(ENOSPC)
    /// ENOMEM.
    package static let outOfMemory = Errno(ENOMEM)
    /// EPIPE: nobody is left to read.
    package static let brokenPipe = Errno(EPIPE)
    /// ENAMETOOLONG.
    package static let nameTooLong = Errno(ENAMETOOLONG)
    /// ENOEXEC.
    package static let notExecutableFormat = Errno(ENOEXEC)
    /// EOPNOTSUPP.
    package static let notSupported = Errno(EOPNOTSUPP)
    /// EADDRINUSE.
    package static let addressInUse = Errno(EADDRINUSE)
    /// ETIMEDOUT.
    package static let timedOut = Errno(ETIMEDOUT)
    /// ECONNREFUSED.
    package static let connectionRefused = Errno(ECONNREFUSED)
    /// ELOOP: a symbolic link where there must be none, or too many.
    package static let linkLoop = Errno(ELOOP)
    /// ENOSYS.
    package static let notImplemented = Errno(ENOSYS)
}
