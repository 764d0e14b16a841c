internal import ExecModel
internal import Kernel

/// What is wrong with a tokens file: the line and the problem. Never what stands there, which may be
/// a token in the wrong place.
struct AccessPolicyError: Error, Hashable, CustomStringConvertible {
    let line: Int
    let problem: String

    var description: String { "line \(line): \(problem)" }
}

/// A tokens file: one token a line, `NAME ROLE[:PREFIX[,PREFIX...]] TOKEN`, with spaces or tabs between
/// the three. Empty lines, and lines that begin with `#`, are skipped; all else is an error.
extension AccessPolicy {
    /// The most that such a file may hold.
    static let fileBytesMax = 1 << 20
    /// The most containers' prefixes of one token.
    static let prefixesMax = 16
    static let tokenLengths = Files.tokenLengths
    private static let nameLengthMax = 64

    /// Adds what the file says to what is there.
    mutating func add(parsing file: [UInt8]) throws(AccessPolicyError) {
        var line = 0
        for bytes in file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            line += 1
            do throws(Problem) {
                try add(line: bytes)
            } catch {
                throw AccessPolicyError(line: line, problem: error.text)
            }
        }
    }

    private struct Problem: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private mutating func add(line: ArraySlice<UInt8>) throws(Problem) {
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        guard let first = words.first, first.first != UInt8(ascii: "#") else { return }
        guard words.joined().allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Problem("it has a character that is not printable ASCII")
        }
        guard words.count == 3 else {
            let count = words.count == 1 ? "1 word" : "\(words.count) words"
            throw Problem("it has \(count) instead of three: NAME ROLE[:PREFIX,...] TOKEN")
        }
        let texts = words.map { String(decoding: $0, as: UTF8.self) }
        let name = try checkedName(texts[0])
        let (role, prefixes) = try Self.role(texts[1])
        let token = try checkedToken(texts[2])
        guard count < Self.entriesMax else {
            throw Problem("there are more than \(Self.entriesMax) tokens")
        }
        add(Identity(name: name, role: role, prefixes: prefixes), token: token)
    }

    private func checkedName(_ name: String) throws(Problem) -> String {
        guard name.utf8.count <= Self.nameLengthMax,
            (try? ExecKey.check(name, field: "name")) != nil
        else {
            throw Problem(
                "the name must be 1 to \(Self.nameLengthMax) characters of A-Z a-z 0-9 . _ -, "
                    + "and begin with neither . nor -"
            )
        }
        guard !has(name: name) else {
            throw Problem("the name is taken by another token")
        }
        return name
    }

    private static func role(_ text: String) throws(Problem) -> (Role, [String]) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let role = Role(rawValue: String(parts[0])) else {
            throw Problem("the second word must be view, run or admin, with :PREFIX,... or without")
        }
        guard parts.count == 2 else { return (role, []) }
        let prefixes = parts[1].split(separator: ",", omittingEmptySubsequences: false).map(
            String.init
        )
        guard prefixes.count <= prefixesMax else {
            throw Problem("it has \(prefixes.count) prefixes; \(prefixesMax) are the most")
        }
        guard prefixes.allSatisfy({ (try? ExecKey.check($0, field: "prefix")) != nil }) else {
            throw Problem("a prefix must be what a container's name can begin with, and not empty")
        }
        return (role, prefixes)
    }

    private func checkedToken(_ token: String) throws(Problem) -> String {
        let lengths = Self.tokenLengths
        guard lengths.contains(token.utf8.count) else {
            throw Problem(
                "the token has \(token.utf8.count) characters; "
                    + "it must have \(lengths.lowerBound) to \(lengths.upperBound)"
            )
        }
        guard identity(presenting: token) == nil else {
            throw Problem("the token is that of another line, or the default one")
        }
        return token
    }
}
