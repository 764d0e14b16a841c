internal import CLinux
internal import Glibc

/// Why a file or directory that must be private can't be used, for people.
package struct PrivateFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The problem, without the path.
    package let description: String
    /// What the system said; nil: it is there and can be opened, but must not be trusted.
    package let errno: Errno?

    init(description: String) { (self.description, errno) = (description, nil) }

    init(_ errno: Errno) { (description, self.errno) = ("\(errno)", errno) }
}

extension Files {
    /// The whole of a small file with secrets. It must be a regular file of this user's or root's that
    /// nobody else may read or write. A symbolic link to it is followed where this user or root has made
    /// that. Never waits, not even where the path leads to a FIFO.
    ///
    /// Where it `isAnyones`, it may also be another user's, whose private file only root can open: what is
    /// in it then concerns that user alone.
    package static func readPrivate(
        _ path: String,
        max: Int,
        isAnyones: Bool = false,
    ) throws(PrivateFileError) -> [UInt8] {
        let file = try openPrivate(path)
        let status: stat
        do throws(Errno) {
            // Of what was opened, not of what has the name by then.
            status = try file.status()
        } catch {
            throw PrivateFileError(error)
        }
        if let problem = privacyProblem(of: status, path, isAnyones) {
            throw PrivateFileError(description: problem)
        }
        do throws(Errno) {
            return try file.readAll(max: max)
        } catch {
            throw PrivateFileError(error)
        }
    }

    private static func privacyProblem(
        of status: stat,
        _ path: String,
        _ isAnyones: Bool,
    ) -> String? {
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is not a regular file" }
        guard isAnyones || status.st_uid == geteuid() || status.st_uid == 0 else {
            return "it belongs to another user, uid \(status.st_uid)"
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            return "others may use it too (mode 0\(mode)); run chmod 600 \(path)"
        }
        return nil
    }

    /// The length of a token that a file may hold.
    package static let tokenLengths = 16...512

    /// The one token in a file, as `readPrivate` reads it: printable ASCII without blanks. White space
    /// around it is left out.
    package static func readToken(
        _ path: String,
        isAnyones: Bool = false,
    ) throws(PrivateFileError) -> String {
        let bytes = try readPrivate(path, max: tokenFileBytesMax, isAnyones: isAnyones)
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
        let words = bytes.split { blanks.contains($0) }
        guard let token = words.first, words.count == 1 else {
            let what = words.isEmpty ? "it is empty" : "it has more than one word"
            throw PrivateFileError(description: "\(what); it must hold one token")
        }
        guard token.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw PrivateFileError(
                description: "the token has a character that is not printable ASCII"
            )
        }
        guard tokenLengths.contains(token.count) else {
            throw PrivateFileError(
                description: "the token has \(token.count) characters; it must have "
                    + "\(tokenLengths.lowerBound) to \(tokenLengths.upperBound)"
            )
        }
        return String(decoding: token, as: UTF8.self)
    }

    private static let tokenFileBytesMax = 4096
    private static let linksMax = 40

    private static func openPrivate(_ path: String) throws(PrivateFileError) -> Descriptor {
        do throws(Errno) {
            var path = path
            for _ in 0..<linksMax {
                try check(path)
                let name = path
                let number = try SystemCall.value { el_open(name, el_only_find | O_NOFOLLOW, 0) }
                let found = Descriptor(owning: number)
                let status = try found.status()
                guard status.st_mode & S_IFMT == S_IFLNK else {
                    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
                    return Descriptor(owning: try SystemCall.value { el_open(name, flags, 0) })
                }
                guard PathTrust.isTrusted(status.st_uid) else { break }
                let target = try linkTarget(found)
                path = target.hasPrefix("/") ? target : "\(parent(of: path) ?? ".")/\(target)"
            }
        } catch {
            throw PrivateFileError(error)
        }
        throw PrivateFileError(
            description: "a symbolic link on the way belongs to another user, or they form a loop"
        )
    }

    /// Where an open symbolic link leads.
    static func linkTarget(_ link: borrowing Descriptor) throws(Errno) -> String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlinkat(link.number, "", &bytes, bytes.count)
        guard count >= 0 else { throw Errno(errno) }
        guard count < bytes.count else { throw .nameTooLong }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
