internal import Glibc

extension Files {
    /// Makes a new directory (0700) in `parent`, with a name that begins with `prefix` and that nobody
    /// could know before. Answers its path.
    package static func makeTemporaryDirectory(
        in parent: String,
        prefix: String,
    ) throws(Errno) -> String {
        let path = "\(parent)/\(prefix)XXXXXX"
        try check(path)
        var template = Array(path.utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
