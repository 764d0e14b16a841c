internal import CExecProto
internal import CProtobufC

// Writing: from Swift's values to protobuf-c's fields, which live in the arena. Only an arena
// without a bound may be written into: our own values are never too large to be held twice.

extension MessageArena {
    /// A message field.
    mutating func message<Value: MessageValue>(
        _ value: Value,
    ) -> UnsafeMutablePointer<Value.Raw> {
        let raw = room(for: 1, of: Value.Raw.self)
        Value.initialize(raw)
        value.fill(&raw.pointee, in: &self)
        return raw
    }

    /// A message field that may be absent.
    mutating func optional<Value: MessageValue>(
        _ value: Value?,
    ) -> UnsafeMutablePointer<Value.Raw>? {
        guard let value else { return nil }
        return message(value)
    }

    /// A message field that is absent where it would say nothing: the value is the default.
    mutating func message<Value: MessageValue & Equatable>(
        _ value: Value,
        unless nothing: Value,
    ) -> UnsafeMutablePointer<Value.Raw>? {
        value == nothing ? nil : message(value)
    }

    /// A repeated message field.
    mutating func list<Value: MessageValue>(_ values: [Value]) -> RawList<Value.Raw>? {
        guard !values.isEmpty else { return nil }
        let list = room(for: values.count, of: UnsafeMutablePointer<Value.Raw>?.self)
        for (index, value) in values.enumerated() {
            (list + index).initialize(to: message(value))
        }
        return list
    }

    /// A string field.
    mutating func text(_ value: String) -> ProtobufCBinaryData {
        var value = value
        return value.withUTF8 { copy(UnsafeRawBufferPointer($0)) }
    }

    /// A bytes field.
    mutating func bytes(_ value: [UInt8]) -> ProtobufCBinaryData {
        value.withUnsafeBytes { copy($0) }
    }

    /// A repeated string field.
    mutating func texts(_ values: [String]) -> UnsafeMutablePointer<ProtobufCBinaryData>? {
        guard !values.isEmpty else { return nil }
        let list = room(for: values.count, of: ProtobufCBinaryData.self)
        for (index, value) in values.enumerated() {
            (list + index).initialize(to: text(value))
        }
        return list
    }

    /// A repeated number field.
    mutating func numbers(_ values: [Int32]) -> UnsafeMutablePointer<Int32>? {
        guard !values.isEmpty else { return nil }
        let list = room(for: values.count, of: Int32.self)
        list.initialize(from: values, count: values.count)
        return list
    }

    /// A map field, in the order of the keys.
    mutating func map(_ values: [String: String]) -> RawList<Execstream__V1__StringPair>? {
        guard !values.isEmpty else { return nil }
        typealias Pair = Execstream__V1__StringPair
        let list = room(for: values.count, of: UnsafeMutablePointer<Pair>?.self)
        for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
            let pair = room(for: 1, of: Pair.self)
            execstream__v1__string_pair__init(pair)
            pair.pointee.key = text(key)
            pair.pointee.value = text(value)
            (list + index).initialize(to: pair)
        }
        return list
    }

    private mutating func copy(_ source: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
        guard source.count > 0 else { return ProtobufCBinaryData(len: 0, data: nil) }
        let target = room(for: source.count, of: UInt8.self)
        UnsafeMutableRawPointer(target).copyMemory(
            from: source.baseAddress ?? UnsafeRawPointer(target),
            byteCount: source.count,
        )
        return ProtobufCBinaryData(len: source.count, data: target)
    }

    /// Uninitialised memory for a field's C values.
    mutating func room<Raw>(for count: Int, of type: Raw.Type) -> UnsafeMutablePointer<Raw> {
        guard let memory = allocate(count * MemoryLayout<Raw>.stride) else {
            fatalError("no memory for a message")
        }
        return memory.bindMemory(to: Raw.self, capacity: count)
    }
}
