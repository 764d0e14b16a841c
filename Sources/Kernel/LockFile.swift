internal import CLinux
internal import Glibc

/// A lock that is a file of this user's, which nobody else can open: no other user can hold it, or have
/// this process wait. Goes with the file.
struct LockFile: ~Copyable {
    private let file: Descriptor
    private let path: String

    /// Makes the file, or takes over the one that a killed process has left, and locks it. Tries again
    /// while somebody else has it, at most for `timeout`; nil: somebody still has.
    ///
    /// Throws `.notPermitted` where the file there is not a regular one of this user's alone.
    init?(_ path: String, atMost timeout: Duration) throws(Errno) {
        let deadline = SystemClocks().now + timeout
        while true {
            let file = try LockFile.open(path)
            // Who held it before may have removed it: then another is the one that counts.
            if try Files.lockExclusively(file), try LockFile.isAt(path, file) {
                self.file = file
                self.path = path
                return
            }
            if SystemClocks().now >= deadline { return nil }
            usleep(LockFile.pauseMicroseconds)
        }
    }

    /// Lets go of it.
    borrowing func remove() { unlink(path) }

    private static func open(_ path: String) throws(Errno) -> Descriptor {
        try Files.check(path)
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let file = Descriptor(owning: try SystemCall.value { el_open(path, flags, 0o600) })
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_mode & 0o077 == 0, status.st_nlink <= 1
        else { throw .notPermitted }
        return file
    }

    private static func isAt(_ path: String, _ file: borrowing Descriptor) throws(Errno) -> Bool {
        var named = stat()
        guard lstat(path, &named) == 0 else { return false }
        let opened = try file.status()
        return named.st_ino == opened.st_ino && named.st_dev == opened.st_dev
    }

    private static let pauseMicroseconds: UInt32 = 10_000
}
