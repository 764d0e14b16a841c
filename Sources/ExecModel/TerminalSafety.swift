extension Unicode.Scalar {
    /// Whether this character acts on a terminal, or on the order or place of what is shown beside it,
    /// instead of being seen: controls (C0, DEL, C1), the ends of lines and paragraphs, bidirectional
    /// controls, zero-width and other invisible characters. What others have named is shown without them.
    package var isInvisible: Bool {
        // Most text is this, and looking a property up is slow.
        if isASCII { return value < 0x20 || value == 0x7F }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default:
            // Fillers that look like a space, and joiners. The selectors of emoji only choose a form.
            properties.isDefaultIgnorableCodePoint && !(0xFE00...0xFE0F).contains(value)
        }
    }

    /// As JSON writes it by numbers: one `\uXXXX`, or two beyond U+FFFF.
    package var jsonEscape: String {
        UTF16.encode(self)?.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined() ?? ""
    }
}
