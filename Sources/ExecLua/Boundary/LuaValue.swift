internal import CLuaBridge

/// The coroutine that has called, or its like: a `lua_State *`.
typealias LuaThread = OpaquePointer

/// A value on its way to a script.
enum LuaValue: Sendable {
    case none
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case bytes(ArraySlice<UInt8>)
    case executor(Int64)
    case process(Int64)
    /// A table with these fields; those that are `none` are left out.
    case table([(name: String, value: LuaValue)])
    /// A table with these elements.
    case list([LuaValue])

    /// Puts it on the stack; false: there is no memory, and what is there is to be thrown away.
    func push(onto thread: LuaThread) -> Bool {
        switch self {
        case .none: return elua_push_nil(thread)
        case .boolean(let value): return elua_push_boolean(thread, value)
        case .integer(let value): return elua_push_integer(thread, value)
        case .number(let value): return elua_push_number(thread, value)
        case .text(var text):
            return text.withUTF8 { elua_push_bytes(thread, $0.baseAddress, $0.count) }
        case .bytes(let bytes):
            return bytes.withUnsafeBytes { elua_push_bytes(thread, $0.baseAddress, $0.count) }
        case .executor(let number): return elua_push_object(thread, ELUA_EXECUTOR, number)
        case .process(let number): return elua_push_object(thread, ELUA_PROCESS, number)
        case .table(let fields):
            guard elua_push_table(thread) else { return false }
            for field in fields {
                if case .none = field.value { continue }
                guard field.value.push(onto: thread), elua_set_field(thread, field.name) else {
                    return false
                }
            }
            return true
        case .list(let elements):
            guard elua_push_table(thread) else { return false }
            for (index, element) in elements.enumerated() {
                guard element.push(onto: thread), elua_set_element(thread, Int64(index) + 1) else {
                    return false
                }
            }
            return true
        }
    }
}

/// What a function of the module answers.
enum Answer: Sendable {
    /// Its results.
    case values([LuaValue])
    /// An error, with the position of who called before it.
    case raise(String)
    /// The coroutine that called waits; there will be another answer.
    case suspend

    /// `nil, message`.
    static func failure(_ message: String) -> Answer { .values([.none, .text(message)]) }

    /// `true, nil`.
    static var done: Answer { .values([.boolean(true), .none]) }

    /// Puts the results on the stack, and says it as the bridge wants it said. Called last: to push
    /// may run whatever finalizers the script has.
    func deliver(to thread: LuaThread) -> Int32 {
        switch self {
        case .suspend:
            return Int32(ELUA_SUSPEND)
        case .raise(let message):
            let isThere = LuaValue.text(message).push(onto: thread)
            return Int32(isThere ? ELUA_RAISE : ELUA_NO_MEMORY)
        case .values(let values):
            for value in values where !value.push(onto: thread) { return Int32(ELUA_NO_MEMORY) }
            return Int32(values.count)
        }
    }
}
