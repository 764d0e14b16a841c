internal import CExecProto
internal import CProtobufC

// Reading: from protobuf-c's fields to Swift's values. Nothing here keeps a pointer.

extension ProtobufCBinaryData {
    /// The field's text, whatever is in it; throws where it is not UTF-8.
    func text(_ field: @autoclosure () -> String) throws(DecodeFailure) -> String {
        guard len > 0 else { return "" }
        guard let text = String(validating: buffer, as: UTF8.self) else {
            throw DecodeFailure(field(), "is not UTF-8")
        }
        return text
    }

    /// The field's text, where it is a name: something that is compared or hashed.
    ///
    /// Swift compares and hashes texts in a normal form, which takes a time by the square of the number of
    /// combining marks in a row. So a name must be in Unicode's stream-safe form: at most 30 in a row.
    func name(_ field: @autoclosure () -> String) throws(DecodeFailure) -> String {
        let text = try text(field())
        guard len > Self.marksMax, text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var marks = 0
        for scalar in text.unicodeScalars {
            let isMark =
                scalar.properties.canonicalCombiningClass != .notReordered
                || Self.hiddenMarks.contains(scalar.value)
            marks = isMark ? marks + 1 : 0
            guard marks <= Self.marksMax else {
                throw DecodeFailure(
                    field(),
                    "has more than \(Self.marksMax) combining marks in a row"
                )
            }
        }
        return text
    }

    private static var marksMax: Int { 30 }
    /// These three (Tibetan vowels) are no marks by their class, but are made of marks.
    private static var hiddenMarks: [UInt32] { [0x0F73, 0x0F75, 0x0F81] }

    /// The field's bytes.
    var bytes: [UInt8] { Array(buffer) }

    private var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: data, count: len) }
}

/// The repeated message type of which protobuf-c hands out `count` at `start`.
typealias RawList<Raw> = UnsafeMutablePointer<UnsafeMutablePointer<Raw>?>

extension MessageValue {
    /// The message in a field; nil: the field is absent.
    static func optional(
        _ raw: UnsafeMutablePointer<Raw>?,
        _ field: String,
    ) throws(DecodeFailure) -> Self? {
        guard let raw else { return nil }
        return try within(field) { () throws(DecodeFailure) in try Self(raw: raw) }
    }

    /// The message in a field that no answer and no call goes without.
    static func required(
        _ raw: UnsafeMutablePointer<Raw>?,
        _ field: String,
    ) throws(DecodeFailure) -> Self {
        guard let value = try optional(raw, field) else {
            throw DecodeFailure(field, "is missing")
        }
        return value
    }

    /// The messages in a repeated field.
    static func list(
        _ count: Int,
        _ start: RawList<Raw>?,
        _ field: String,
    ) throws(DecodeFailure) -> [Self] {
        var values: [Self] = []
        values.reserveCapacity(count)
        for (index, raw) in UnsafeBufferPointer(start: start, count: count).enumerated() {
            guard let raw else { continue }
            let value = try within("\(field)[\(index)]") { () throws(DecodeFailure) in
                try Self(raw: raw)
            }
            values.append(value)
        }
        return values
    }
}

/// The texts in a repeated field; throws where there are more than `max`.
func texts(
    _ count: Int,
    _ start: UnsafeMutablePointer<ProtobufCBinaryData>?,
    _ field: String,
    max: Int = .max,
) throws(DecodeFailure) -> [String] {
    try check(count, field, max: max)
    var values: [String] = []
    values.reserveCapacity(count)
    for (index, raw) in UnsafeBufferPointer(start: start, count: count).enumerated() {
        values.append(try raw.text("\(field)[\(index)]"))
    }
    return values
}

/// Each item costs far more than its bytes: a peer's are counted before any of them is looked at.
private func check(_ count: Int, _ field: String, max: Int) throws(DecodeFailure) {
    guard count <= max else {
        throw DecodeFailure(field, "has \(count) items; at most \(max) are allowed")
    }
}

/// The pairs in a map field; of two with one key the last counts. Throws where there are more than `max`.
/// `comparesValues`: the values are names, too.
func map(
    _ count: Int,
    _ start: RawList<Execstream__V1__StringPair>?,
    _ field: String,
    max: Int = .max,
    comparesValues: Bool = false,
) throws(DecodeFailure) -> [String: String] {
    try check(count, field, max: max)
    var values: [String: String] = [:]
    values.reserveCapacity(count)
    for (index, raw) in UnsafeBufferPointer(start: start, count: count).enumerated() {
        guard let pair = raw?.pointee else { continue }
        let key = try pair.key.name("\(field)[\(index)].key")
        values[key] =
            comparesValues
            ? try pair.value.name("\(field)[\(index)].value")
            : try pair.value.text("\(field)[\(index)].value")
    }
    return values
}
