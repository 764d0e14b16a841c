internal import Glibc

/// Whom a directory belongs to, and who may put something into it.
enum PathTrust {
    /// Whether a directory is this user's own, and nobody else may write in it.
    static func isPrivate(_ status: stat) -> Bool {
        status.st_uid == geteuid() && status.st_mode & 0o022 == 0
    }

    /// Why a name in a directory may lead elsewhere at any moment; nil: only this user and root can
    /// change where it leads. Members of the process's own group count as this user.
    static func problem(ofAncestor status: stat, _ path: String) -> String? {
        guard isTrusted(status.st_uid) else {
            return "the directory \(path) above it belongs to another user, uid \(status.st_uid)"
        }
        // In a sticky directory (/tmp) nobody can replace what belongs to somebody else.
        if status.st_mode & S_ISVTX != 0 { return nil }
        let isOthers = status.st_mode & 0o002 != 0
        let isGroups = status.st_mode & 0o020 != 0 && status.st_gid != getegid()
        guard isOthers || isGroups else { return nil }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return "others may write in the directory \(path) above it (mode 0\(mode)); "
            + "run chmod go-w \(path)"
    }

    /// Why a directory is not this user's own; nil: it is.
    static func problem(of status: stat, _ path: String) -> String? {
        if isPrivate(status) { return nil }
        guard status.st_uid == geteuid() else {
            return "it belongs to another user, uid \(status.st_uid), not to uid \(geteuid()) "
                + "that runs this program; use a directory of that user"
        }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return "others may write in it (mode 0\(mode)); make sure that nobody has put anything "
            + "there, and run chmod 700 \(path)"
    }

    /// Whether what a user owns is as good as one's own.
    static func isTrusted(_ user: uid_t) -> Bool {
        user == 0 || user == geteuid() || user == overflowUser && isUnmapped(user)
    }

    /// Who seems to own what users outside of this process's user namespace own.
    private static let overflowUser: uid_t = 65534

    /// Whether this process's user namespace has no such user: the owner is somebody outside, who is
    /// root there for all that can be known.
    private static func isUnmapped(_ user: uid_t) -> Bool {
        guard let bytes = try? Files.readSmall("/proc/self/uid_map", max: 64 << 10) else {
            return false
        }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let numbers = line.split(separator: UInt8(ascii: " ")).compactMap {
                UInt64(String(decoding: $0, as: UTF8.self))
            }
            guard numbers.count == 3 else { return false }
            if UInt64(user) >= numbers[0], UInt64(user) - numbers[0] < numbers[2] { return false }
        }
        return true
    }
}
