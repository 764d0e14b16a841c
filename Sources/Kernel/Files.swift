internal import CLinux
internal import Glibc

/// How a file is opened. All are close-on-exec. New files get exactly the permissions named, less the
/// process's umask.
package enum FileMode: Hashable, Sendable {
    /// Must exist.
    case readOnly
    /// Made where it doesn't exist; kept as it is where it does.
    case readWriteCreate(permissions: UInt32)
    /// Must exist; kept as it is.
    case readWrite
    /// Made, or emptied.
    case readWriteTruncate(permissions: UInt32)
    /// Made, or emptied; can't be read.
    case writeTruncate(permissions: UInt32)
    /// Made; EEXIST where it exists, a symbolic link included.
    case createNew(permissions: UInt32)
    /// Every write goes to the end. Nothing can be spliced into it.
    case append(permissions: UInt32)

    var flags: Int32 {
        switch self {
        case .readOnly: O_RDONLY
        case .readWriteCreate: O_RDWR | O_CREAT
        case .readWrite: O_RDWR
        case .readWriteTruncate: O_RDWR | O_CREAT | O_TRUNC
        case .writeTruncate: O_WRONLY | O_CREAT | O_TRUNC
        case .createNew: O_RDWR | O_CREAT | O_EXCL
        case .append: O_WRONLY | O_CREAT | O_APPEND
        }
    }

    var permissions: mode_t {
        switch self {
        case .readOnly, .readWrite: 0
        case .readWriteCreate(let permissions), .readWriteTruncate(let permissions),
            .writeTruncate(let permissions), .createNew(let permissions),
            .append(let permissions):
            mode_t(permissions)
        }
    }
}

/// Files and directories, by path. A path must not contain a NUL byte: EINVAL.
package enum Files {
    /// Opens a file.
    package static func open(_ path: String, _ mode: FileMode) throws(Errno) -> Descriptor {
        try check(path)
        let number = try SystemCall.value { el_open(path, mode.flags, mode.permissions) }
        return Descriptor(owning: number)
    }

    /// Makes a directory and those above it that don't exist, all with `permissions`. Fine where it
    /// exists.
    package static func makeDirectories(_ path: String, permissions: UInt32) throws(Errno) {
        try check(path)
        do throws(Errno) {
            try SystemCall.value { posix(mkdir(path, mode_t(permissions))) }
        } catch .exists {
            guard isDirectory(path) else { throw .notDirectory }
        } catch .notFound {
            guard let parent = parent(of: path) else { throw .notFound }
            try makeDirectories(parent, permissions: permissions)
            do throws(Errno) {
                try SystemCall.value { posix(mkdir(path, mode_t(permissions))) }
            } catch .exists {
                // Somebody else made it meanwhile, or it ends in "/." or "/".
            }
        }
    }

    /// Whether the path leads to something.
    package static func exists(_ path: String) -> Bool {
        (try? check(path)) != nil && access(path, F_OK) == 0
    }

    /// Whether the path leads to a directory.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return (try? check(path)) != nil && stat(path, &status) == 0
            && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether the path leads to a regular file.
    package static func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return (try? check(path)) != nil && stat(path, &status) == 0
            && status.st_mode & S_IFMT == S_IFREG
    }

    /// Renames in one step, over what has the new name.
    package static func rename(_ old: String, to new: String) throws(Errno) {
        try check(old)
        try check(new)
        try SystemCall.value { posix(Glibc.rename(old, new)) }
    }

    /// Removes one name that isn't a directory's.
    package static func remove(_ path: String) throws(Errno) {
        try check(path)
        try SystemCall.value { posix(unlink(path)) }
    }

    /// Removes a directory that has nothing in it; leaves all else as it is.
    package static func removeDirectoryIfEmpty(_ path: String) {
        if (try? check(path)) != nil { rmdir(path) }
    }

    /// The names in a directory, in no order, without "." and "..". What isn't UTF-8 is repaired.
    package static func list(_ path: String) throws(Errno) -> [String] {
        try check(path)
        let number = try SystemCall.value { el_open(path, O_RDONLY | O_DIRECTORY, 0) }
        return try DirectoryStream(Descriptor(owning: number)).names()
    }

    /// The whole of a small file, or EFBIG where it has more than `max` bytes.
    package static func readSmall(_ path: String, max: Int) throws(Errno) -> [UInt8] {
        try open(path, .readOnly).readAll(max: max)
    }

    /// Puts a file with these contents in place of `path` in one step: whoever opens it sees the old
    /// or the new one, also when this process is killed. Says nothing about the machine losing power.
    package static func writeAtomically(
        _ path: String,
        _ bytes: [UInt8],
        permissions: UInt32 = 0o600,
    ) throws(Errno) {
        let unique = randomBytes(8).map { String($0, radix: 16) }.joined()
        let temporary = "\(path).\(unique).tmp"
        let file = try open(temporary, .createNew(permissions: permissions))
        do throws(Errno) {
            try bytes.withUnsafeBufferPointer { bytes throws(Errno) in
                try file.pwrite(UnsafeRawBufferPointer(bytes), at: 0)
            }
            try rename(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Takes the file's lock for as long as the descriptor or a copy of it is open; false: somebody
    /// else has it.
    package static func lockExclusively(_ file: borrowing Descriptor) throws(Errno) -> Bool {
        let number = file.number
        return try SystemCall.unlessBlocked { posix(flock(number, LOCK_EX | LOCK_NB)) } != nil
    }

    /// As above, and tries again while somebody else has it, at most for `timeout`.
    package static func lockExclusively(
        _ file: borrowing Descriptor,
        atMost timeout: Duration,
    ) throws(Errno) -> Bool {
        let deadline = SystemClocks().now + timeout
        while true {
            if try lockExclusively(file) { return true }
            if SystemClocks().now >= deadline { return false }
            usleep(10_000)
        }
    }

    /// Swift would cut the path at a NUL byte, and another file would be meant.
    static func check(_ path: String) throws(Errno) {
        if path.utf8.contains(0) { throw .invalid }
    }

    /// The path without its last part; nil where there is nothing above.
    static func parent(of path: String) -> String? {
        var rest = path[...]
        while rest.last == "/" { rest.removeLast() }
        guard let slash = rest.lastIndex(of: "/") else { return rest.isEmpty ? nil : "." }
        rest = rest[..<slash]
        while rest.last == "/" { rest.removeLast() }
        return rest.isEmpty ? "/" : String(rest)
    }
}
