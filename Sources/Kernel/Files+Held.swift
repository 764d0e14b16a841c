internal import Glibc

// Files that tell whether their writer still runs: it holds a lock on them that goes with it. Readers
// test the lock and never take it, so they can't be in the way of the next writer.

extension Files {
    /// Puts a private file (0600) in place of `path`, and holds it until the descriptor is closed, which
    /// the end of the process does too.
    package static func writeHeld(_ path: String, _ bytes: [UInt8]) throws(Errno) -> Descriptor {
        try writeAtomically(path, bytes, permissions: 0o600)
        let file = try open(path, .readWrite)
        let number = file.number
        var lock = wholeFile(F_WRLCK)
        try SystemCall.value { posix(fcntl(number, setOpenFileLock, &lock)) }
        return file
    }

    /// The contents of a file that somebody holds; nil: there is none, nobody holds it, it has more than
    /// `max` bytes, or users other than this one and root may write or read it.
    package static func readHeld(_ path: String, max: Int) -> [UInt8]? {
        guard let file = try? open(path, .readOnly), let status = try? file.status(),
            status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o077 == 0,
            let bytes = try? file.readAll(max: max)
        else { return nil }
        var lock = wholeFile(F_RDLCK)
        // Tested after reading: who holds it now held it then, since each writer makes a new file.
        guard fcntl(file.number, getOpenFileLock, &lock) == 0 else { return nil }
        return lock.l_type == Int16(F_UNLCK) ? nil : bytes
    }

    private static func wholeFile(_ type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    /// F_OFD_GETLK and F_OFD_SETLK: locks of an open file, not of a process.
    private static let getOpenFileLock: Int32 = 36
    private static let setOpenFileLock: Int32 = 37
}
