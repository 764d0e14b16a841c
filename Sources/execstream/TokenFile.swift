internal import Kernel

/// The file with the secret that TCP clients show.
enum TokenFile {
    /// The token in a client's file, which nobody but its owner and root may be able to read or write; see
    /// `Files.readToken`. Root may use the file of a server that another user runs.
    static func read(_ path: String) throws(PrivateFileError) -> String {
        try Files.readToken(path, isAnyones: true)
    }

    /// The token in the file; where there is no file, it is made: 32 random bytes in hex, 0600.
    static func readOrMake(_ path: String) throws(Failure) -> String {
        do throws(PrivateFileError) {
            return try Files.readToken(path)
        } catch {
            guard error.errno == .notFound else {
                throw Failure("can't read the token file '\(path)': \(error)")
            }
        }
        try make(path)
        do throws(PrivateFileError) {
            // What has the name now, whoever put it there.
            return try Files.readToken(path)
        } catch {
            throw Failure("can't read the token file '\(path)': \(error)")
        }
    }

    private static func make(_ path: String) throws(Failure) {
        let digits = Array("0123456789abcdef")
        let token = String(
            randomBytes(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        )
        do throws(Errno) {
            try Files.writeAtomically(path, Array((token + "\n").utf8), permissions: 0o600)
        } catch {
            throw Failure("can't write the token file '\(path)': \(error)")
        }
    }
}
