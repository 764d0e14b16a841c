internal import CLinux
internal import Glibc

extension Directory {
    /// Opens a directory in which nobody but this user and root can put anything, nor anything in its
    /// place; makes it, and those above it that are missing, with `permissions`.
    ///
    /// Each directory on the way is opened and checked before the next name is looked up in it. A symbolic
    /// link is followed where this user or root has made it.
    package static func openPrivate(
        _ path: String,
        making permissions: UInt32,
    ) throws(PrivateFileError) -> Directory {
        var walk = PathWalk(permissions: permissions)
        return try walk.open(path)
    }
}

/// One way from the root directory to another, step by step.
private struct PathWalk {
    let permissions: UInt32
    /// The names that are left, the next one last.
    private var names: [Substring] = []
    private var linksLeft = 40

    init(permissions: UInt32) { self.permissions = permissions }

    mutating func open(_ path: String) throws(PrivateFileError) -> Directory {
        do throws(Errno) {
            try Files.check(path)
        } catch {
            throw PrivateFileError(error)
        }
        var here = try Self.root()
        if !path.hasPrefix("/") { push(try Self.workingDirectory()) }
        names.insert(contentsOf: path.split(separator: "/").reversed(), at: 0)
        var shown = ""
        while let name = names.popLast() {
            if name == "." { continue }
            if let problem = PathTrust.problem(
                ofAncestor: try Self.status(here),
                shown.isEmpty ? "/" : shown
            ) {
                throw PrivateFileError(description: problem)
            }
            let next = try entry(String(name), of: here)
            let status = try Self.status(next)
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                guard PathTrust.isTrusted(status.st_uid) else {
                    throw PrivateFileError(
                        description: "\(shown)/\(name) is a symbolic link of another user, uid "
                            + "\(status.st_uid)"
                    )
                }
                let target = try follow(next)
                if target.hasPrefix("/") {
                    here = try Self.root()
                    shown = ""
                }
                push(target)
            case S_IFDIR:
                here = next
                shown = name == ".." ? "\(shown)/.." : "\(shown)/\(name)"
            default: throw PrivateFileError(.notDirectory)
            }
        }
        if let problem = PathTrust.problem(of: try Self.status(here), path) {
            throw PrivateFileError(description: problem)
        }
        return Directory(owning: try Self.readable(here), path: path)
    }

    /// Looks a name up without following it, and makes a directory where there is nothing.
    private func entry(
        _ name: String,
        of directory: borrowing Descriptor,
    ) throws(PrivateFileError) -> Descriptor {
        let parent = directory.number
        do throws(Errno) {
            do throws(Errno) {
                return try Self.look(name, in: parent)
            } catch .notFound {
                do throws(Errno) {
                    try SystemCall.value { posix(mkdirat(parent, name, mode_t(permissions))) }
                } catch .exists {}
                return try Self.look(name, in: parent)
            }
        } catch {
            throw PrivateFileError(error)
        }
    }

    private static func look(_ name: String, in parent: Int32) throws(Errno) -> Descriptor {
        Descriptor(
            owning: try SystemCall.value { el_openat(parent, name, el_only_find | O_NOFOLLOW, 0) }
        )
    }

    private mutating func follow(_ link: borrowing Descriptor) throws(PrivateFileError) -> String {
        linksLeft -= 1
        guard linksLeft >= 0 else { throw PrivateFileError(Errno(ELOOP)) }
        do throws(Errno) {
            return try Files.linkTarget(link)
        } catch {
            throw PrivateFileError(error)
        }
    }

    private mutating func push(_ path: String) {
        names += path.split(separator: "/").reversed()
    }

    private static func root() throws(PrivateFileError) -> Descriptor {
        do throws(Errno) {
            let number = try SystemCall.value { el_open("/", el_only_find | O_DIRECTORY, 0) }
            return Descriptor(owning: number)
        } catch {
            throw PrivateFileError(error)
        }
    }

    private static func workingDirectory() throws(PrivateFileError) -> String {
        guard let path = getcwd(nil, 0) else { throw PrivateFileError(Errno(errno)) }
        defer { free(path) }
        return String(cString: path)
    }

    private static func status(_ file: borrowing Descriptor) throws(PrivateFileError) -> stat {
        do throws(Errno) {
            return try file.status()
        } catch {
            throw PrivateFileError(error)
        }
    }

    private static func readable(_ directory: borrowing Descriptor) throws(PrivateFileError)
        -> Descriptor
    {
        let number = directory.number
        do throws(Errno) {
            return Descriptor(
                owning: try SystemCall.value { el_openat(number, ".", O_RDONLY | O_DIRECTORY, 0) }
            )
        } catch {
            throw PrivateFileError(error)
        }
    }
}
