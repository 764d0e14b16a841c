internal import Glibc

/// Why a file with secrets can't be used, for people.
package struct PrivateFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The problem, without the path.
    package let description: String
}

extension Files {
    /// The whole of a small file with secrets. It must be a file of this user's or root's that nobody
    /// else may read or write.
    package static func readPrivate(
        _ path: String,
        max: Int,
    ) throws(PrivateFileError) -> [UInt8] {
        let (bytes, status): ([UInt8], stat)
        do throws(Errno) {
            let file = try open(path, .readOnly)
            // Of what was opened, not of what has the name by then.
            status = try file.status()
            bytes = try file.readAll(max: max)
        } catch {
            throw PrivateFileError(description: "\(error)")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw PrivateFileError(description: "it belongs to another user, uid \(status.st_uid)")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw PrivateFileError(
                description: "others may use it too (mode 0\(mode)); make it 0600"
            )
        }
        return bytes
    }
}
