/// A JSON value, read strictly as RFC 8259 has it; a name may be there only once in an object.
enum JSONValue: Hashable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One name and value of an object.
    struct Member: Hashable {
        var name: String
        var value: JSONValue
    }

    /// Reads a whole text.
    init(parsing bytes: [UInt8]) throws(JSONProblem) {
        var reader = JSONReader(bytes)
        self = try reader.readAll()
    }

    /// What kind of value it is, for people.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// What is wrong with a text, and where.
struct JSONProblem: Error, Equatable {
    var line: Int
    var message: String
}

/// Reads one text, byte by byte.
private struct JSONReader {
    private let bytes: [UInt8]
    private var index = 0

    private static let depthMax = 64

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func readAll() throws(JSONProblem) -> JSONValue {
        let value = try read(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw problem("there is more after the end") }
        return value
    }

    private mutating func read(depth: Int) throws(JSONProblem) -> JSONValue {
        guard depth < Self.depthMax else { throw problem("it is nested too deep") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try readObject(depth: depth)
        case UInt8(ascii: "["): return try readArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return try readNumber()
        }
    }

    private mutating func readObject(depth: Int) throws(JSONProblem) -> JSONValue {
        index += 1
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object([]) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw problem("a name in quotes was expected") }
            let name = try readString()
            guard names.insert(name).inserted else { throw problem("'\(name)' is there twice") }
            skipSpace()
            guard take(":") else { throw problem("':' was expected after '\(name)'") }
            members.append(JSONValue.Member(name: name, value: try read(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw problem("',' or '}' was expected") }
        return .object(members)
    }

    private mutating func readArray(depth: Int) throws(JSONProblem) -> JSONValue {
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take("]") { return .array([]) }
        repeat {
            elements.append(try read(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw problem("',' or ']' was expected") }
        return .array(elements)
    }

    private mutating func readWord(
        _ word: String,
        _ value: JSONValue,
    ) throws(JSONProblem) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw problem("a value was expected") }
        index += word.utf8.count
        return value
    }

    private mutating func readNumber() throws(JSONProblem) -> JSONValue {
        let start = index
        _ = take("-")
        let hasLeadingZero = next == UInt8(ascii: "0")
        let whole = skipDigits()
        guard whole > 0, !hasLeadingZero || whole == 1 else {
            throw problem("a value was expected")
        }
        if take("."), skipDigits() == 0 { throw problem("a digit was expected") }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            if skipDigits() == 0 { throw problem("a digit was expected") }
        }
        guard let number = Double(String(decoding: bytes[start..<index], as: UTF8.self)),
            number.isFinite
        else { throw problem("the number is too large") }
        return .number(number)
    }

    private mutating func readString() throws(JSONProblem) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw problem("a string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): text += try readEscape()
            case 0..<0x20: throw problem("a string has a control character in it")
            default: text.append(byte)
            }
        }
        throw problem("a string does not end")
    }

    private mutating func readEscape() throws(JSONProblem) -> [UInt8] {
        guard let byte = next else { throw problem("a string does not end") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return try readCodePoint()
        default: throw problem("a string has an escape that JSON does not have")
        }
    }

    private mutating func readCodePoint() throws(JSONProblem) -> [UInt8] {
        var value = try readHex()
        if (0xD800...0xDBFF).contains(value) {
            guard take("\\"), take("u") else { throw problem("half of a surrogate pair") }
            let low = try readHex()
            guard (0xDC00...0xDFFF).contains(low) else { throw problem("half of a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw problem("half of a surrogate pair") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func readHex() throws(JSONProblem) -> UInt32 {
        let digits = bytes[index...].prefix(4)
        guard digits.count == 4, digits.allSatisfy(Self.isHex),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw problem("four hexadecimal digits were expected") }
        index += 4
        return value
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { index += 1 }
    }

    private mutating func skipDigits() -> Int {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        return index - start
    }

    private func problem(_ message: String) -> JSONProblem {
        let line = 1 + bytes.prefix(index).count { $0 == 0x0A }
        return JSONProblem(line: line, message: message)
    }
}
