/// Names for execs that were given none.
enum ExecNames {
    /// The command's name, made fit for an ID, and six random letters and digits: `make-k3v9x0`.
    static func name(
        forCommand argv0: String,
        using generator: inout some RandomNumberGenerator,
    ) -> String {
        let base = argv0.split(separator: "/").last.map(String.init) ?? ""
        var name = String(base.map { isAllowed($0) ? $0 : "_" }.prefix(baseLengthMax))
        while let first = name.first, first == "." || first == "-" { name.removeFirst() }
        if name.isEmpty { name = "exec" }
        let suffix = (0..<6).map { _ in
            alphabet[Int.random(in: alphabet.indices, using: &generator)]
        }
        return name + "-" + String(suffix)
    }

    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    private static let baseLengthMax = 64

    private static func isAllowed(_ character: Character) -> Bool {
        character.isASCII
            && (character.isLetter || character.isNumber || "._-".contains(character))
    }
}
