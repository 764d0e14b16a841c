internal import ExecModel

extension String {
    /// The same text without anything that acts on a terminal: names and messages of others are
    /// shown with it, so that a command line can't move the cursor or hide itself.
    var printable: String {
        guard unicodeScalars.contains(where: \.isInvisible) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.isInvisible: result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension String {
    /// As `printable`, at most `max` characters long; of a longer text the rest is left out.
    func printable(max: Int) -> String {
        // Cut first: a peer may send megabytes, and each scalar becomes one character or more.
        let scalars = unicodeScalars.prefix(max + 1)
        let text = String(String.UnicodeScalarView(scalars)).printable
        let isWhole = scalars.endIndex == unicodeScalars.endIndex && text.count <= max
        return isWhole ? text : text.prefix(max - 1) + "…"
    }

    /// As `printable`, for text that may have lines and tabs: a script's traceback.
    var printableLines: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { String($0).printable }.joined(separator: "\t")
        }.joined(separator: "\n")
    }
}
