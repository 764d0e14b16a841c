internal import CLinux
internal import Glibc

/// An open directory of this process's user. Every name is one part of a path below it, and no symbolic
/// link is followed: whoever replaces an entry, or a directory above, changes nothing of what is reached.
/// Any thread.
package final class Directory: Sendable {
    private let descriptor: Descriptor
    /// Where it was found, for messages.
    package let path: String

    /// Takes over the descriptor of a directory whose owner and mode were checked.
    init(owning descriptor: consuming Descriptor, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Valid for as long as this object lives.
    var number: Int32 { descriptor.number }
}

// MARK: Files

extension Directory {
    /// Opens a file, which must be a regular one of this user's with one name: EPERM where it is not.
    /// What was opened is checked before it is emptied. Never waits, not even for a FIFO's other end.
    package func open(_ name: String, _ mode: FileMode) throws(Errno) -> Descriptor {
        try Directory.check(name)
        let flags = mode.flags & ~O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let number = try SystemCall.value {
            el_openat(descriptor.number, name, flags, mode.permissions)
        }
        let file = Descriptor(owning: number)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink <= 1
        else { throw .notPermitted }
        if mode.flags & O_TRUNC != 0, status.st_size > 0 { try file.truncate(to: 0) }
        return file
    }

    /// The whole of a small file, or EFBIG where it has more than `max` bytes.
    package func readSmall(_ name: String, max: Int) throws(Errno) -> [UInt8] {
        try open(name, .readOnly).readAll(max: max)
    }

    /// Whether there is something of this name, a symbolic link included.
    package func has(_ name: String) -> Bool {
        guard (try? Directory.check(name)) != nil else { return false }
        var status = stat()
        return fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// The names in it, in no order, without "." and "..". What isn't UTF-8 is repaired.
    package func list() throws(Errno) -> [String] {
        // Opened anew: a copy of the descriptor would share its place in the directory.
        let number = try SystemCall.value {
            el_openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY, 0)
        }
        return try DirectoryStream(Descriptor(owning: number)).names()
    }

    /// Removes a name that isn't a directory's.
    package func remove(_ name: String) throws(Errno) {
        try Directory.check(name)
        try SystemCall.value { posix(unlinkat(descriptor.number, name, 0)) }
    }

    /// Removes a file, or a directory with all that is in it; fine where there is nothing.
    package func removeTree(_ name: String) throws(Errno) {
        try Directory.check(name)
        try Files.removeTree(name, in: descriptor.number)
    }

    /// Renames in one step, over what has the new name.
    package func rename(
        _ name: String,
        to target: Directory,
        as newName: String,
    ) throws(Errno) {
        try Directory.check(name)
        try Directory.check(newName)
        try SystemCall.value { posix(renameat(number, name, target.number, newName)) }
    }
}

// MARK: Directories

extension Directory {
    /// Opens a directory in this one. It must be this user's, and others must not be able to write in it:
    /// EPERM where they are. ENOTDIR: it is something else, such as a symbolic link.
    package func directory(_ name: String) throws(Errno) -> Directory {
        try Directory.check(name)
        let number = try SystemCall.value {
            el_openat(descriptor.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        }
        let opened = Descriptor(owning: number)
        guard PathTrust.isPrivate(try opened.status()) else { throw .notPermitted }
        return Directory(owning: opened, path: "\(path)/\(name)")
    }

    /// As `directory`, and makes it where it is missing.
    package func makeDirectory(_ name: String, permissions: UInt32) throws(Errno) -> Directory {
        // Somebody else may remove it in between, or be the one who makes it.
        for _ in 1..<Directory.attemptsMax {
            do throws(Errno) {
                return try directory(name)
            } catch .notFound {
                do throws(Errno) {
                    try SystemCall.value { posix(mkdirat(number, name, mode_t(permissions))) }
                } catch .exists {}
            }
        }
        return try directory(name)
    }

    /// Removes a directory that has nothing in it; leaves all else as it is.
    package func removeDirectoryIfEmpty(_ name: String) {
        guard (try? Directory.check(name)) != nil else { return }
        unlinkat(descriptor.number, name, AT_REMOVEDIR)
    }

    private static let attemptsMax = 16

    /// EINVAL: it is not the name of an entry.
    private static func check(_ name: String) throws(Errno) {
        let isEntry = !["", ".", ".."].contains(name) && !name.utf8.contains(UInt8(ascii: "/"))
        guard isEntry, !name.utf8.contains(0) else { throw .invalid }
    }
}
