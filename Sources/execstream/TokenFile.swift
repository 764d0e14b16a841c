internal import Kernel

/// The file with the secret that TCP clients show.
enum TokenFile {
    /// The most that such a file may hold.
    static let bytesMax = 4096

    /// The token in the file, without the white space around it.
    static func read(_ path: String) throws(Errno) -> String {
        let bytes = try Files.readSmall(path, max: bytesMax)
        let isText: (UInt8) -> Bool = { $0 > UInt8(ascii: " ") }
        guard let first = bytes.firstIndex(where: isText), let last = bytes.lastIndex(where: isText)
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }

    /// The token in the file; where there is no file, it is made: 32 random bytes in hex, 0600.
    static func readOrMake(_ path: String) throws(Failure) -> String {
        let token: String
        do throws(Errno) {
            token = try read(path)
        } catch .notFound {
            return try make(path)
        } catch {
            throw Failure("can't read the token file '\(path)': \(error)")
        }
        guard !token.isEmpty else {
            throw Failure("the token file '\(path)' is empty; delete it to have one made")
        }
        return token
    }

    private static func make(_ path: String) throws(Failure) -> String {
        let digits = Array("0123456789abcdef")
        let token = String(
            randomBytes(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        )
        do throws(Errno) {
            try Files.writeAtomically(path, Array((token + "\n").utf8), permissions: 0o600)
            return token
        } catch {
            throw Failure("can't write the token file '\(path)': \(error)")
        }
    }
}
