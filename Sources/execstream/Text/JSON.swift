internal import ExecModel

/// A JSON value, for writing only; objects keep the order they are given.
enum JSON: Equatable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    /// One name and value of an object.
    struct Member: Equatable {
        var name: String
        var value: JSON
    }

    init(stringLiteral value: String) { self = .string(value) }

    init(booleanLiteral value: Bool) { self = .bool(value) }

    /// An object with these members.
    static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
        .object(members.map { Member(name: $0.key, value: $0.value) })
    }

    /// An object with the map's members, ordered by name so that equal maps look equal.
    static func object(_ map: [String: String]) -> JSON {
        .object(
            map.sorted { $0.key < $1.key }.map { Member(name: $0.key, value: .string($0.value)) }
        )
    }

    /// An integer of any kind that fits.
    static func int(_ value: some FixedWidthInteger) -> JSON {
        value < 0 ? .integer(Int64(clamping: value)) : .unsigned(UInt64(clamping: value))
    }

    /// The same object with `members` before its own.
    func preceded(by members: KeyValuePairs<String, JSON>) -> JSON {
        guard case .object(let own) = self, case .object(let added) = JSON.object(members) else {
            return self
        }
        return .object(added + own)
    }

    /// The value on one line, without spaces.
    var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += "\(value)"
        case .unsigned(let value): text += "\(value)"
        case .number(let value): text += value.isFinite ? "\(value)" : "null"
        case .string(let value): Self.writeString(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                value.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                Self.writeString(member.name, to: &text)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    private static func writeString(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            // U+2028 and U+2029 end a line in JavaScript; others act on a terminal that shows the text.
            case _ where scalar.isInvisible: text += scalar.jsonEscape
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
