internal import CLinux
internal import Glibc

extension Files {
    /// Opens a file that lines are added to, and makes it (0600) where it is missing. A regular file must
    /// be this user's or root's and have no other name, so that nobody has lines added to a file of their
    /// choice. A symbolic link is followed where this user or root has made it. Never waits, neither here
    /// for a FIFO's reader nor later for room in one.
    package static func openForAppending(_ path: String) throws(PrivateFileError) -> Descriptor {
        let file = try findForAppending(path)
        let status: stat
        do throws(Errno) {
            status = try file.status()
        } catch {
            throw PrivateFileError(error)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return file }
        guard PathTrust.isTrusted(status.st_uid) else {
            throw PrivateFileError(
                description: "it belongs to another user, uid \(status.st_uid)"
            )
        }
        guard status.st_nlink <= 1 else {
            throw PrivateFileError(description: "the file has another name as well")
        }
        return file
    }

    private static func findForAppending(_ path: String) throws(PrivateFileError) -> Descriptor {
        do throws(Errno) {
            try check(path)
            let flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY
            let more = try isTrustedLink(path) ? 0 : O_CREAT | O_NOFOLLOW
            return Descriptor(
                owning: try SystemCall.value { el_open(path, flags | more, 0o600) }
            )
        } catch {
            throw PrivateFileError(error)
        }
    }

    private static func isTrustedLink(_ path: String) throws(Errno) -> Bool {
        let number: Int32
        do throws(Errno) {
            number = try SystemCall.value { el_open(path, el_only_find | O_NOFOLLOW, 0) }
        } catch .notFound {
            return false
        }
        let status = try Descriptor(owning: number).status()
        return status.st_mode & S_IFMT == S_IFLNK && PathTrust.isTrusted(status.st_uid)
    }
}
