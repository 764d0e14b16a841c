internal import CLuaBridge

#if DEBUG
    internal import Glibc
#endif

/// One state of Lua, from its opening to its closing. The loop's thread only.
///
/// In debug builds `EXECSTREAM_LUA_COLLECT=1` has Lua collect all garbage whenever it may: so whatever
/// a finalizer or a collection can break, tests see break.
final class LuaState {
    private let host: UnsafeMutablePointer<elua_host>
    private var state: LuaThread?

    /// Opens a state for which `functions` do the work. Nil: there is no memory.
    init?(functions: elua_host) {
        host = .allocate(capacity: 1)
        host.initialize(to: functions)
        #if DEBUG
            host.pointee.collects_always = getenv("EXECSTREAM_LUA_COLLECT") != nil
        #endif
        state = elua_open(host)
        if state == nil { return nil }
    }

    deinit {
        close()
        host.deallocate()
    }

    /// A script that could be loaded, or why not.
    enum Loaded {
        case coroutine(LuaThread, reference: Int32)
        /// There is no such file, or it can't be read.
        case unreadable(String)
        /// It is not Lua.
        case invalid(String)
    }

    /// Loads a script and its arguments, to be resumed.
    func load(_ path: String, arguments: [String]) -> Loaded {
        let text = TextBox()
        var thread: LuaThread?
        var reference: Int32 = 0
        let result = withCStrings(arguments) { pointers in
            elua_load(
                open,
                path,
                Int32(pointers.count),
                pointers.baseAddress,
                &thread,
                &reference,
                text.context,
                TextBox.take,
            )
        }
        if result == ELUA_LOADED, let thread { return .coroutine(thread, reference: reference) }
        return result == ELUA_NO_FILE ? .unreadable(text.text) : .invalid(text.text)
    }

    /// Runs a coroutine on until it can go no further.
    func resume(_ thread: LuaThread) -> elua_outcome { elua_resume(host, open, thread) }

    /// What a script that has returned says of the program's exit code; nil with what it is instead.
    func exitCode(of thread: LuaThread) -> (code: Int32?, type: String) {
        var code: Int64 = 0
        var type: UnsafePointer<CChar>?
        let isCode = elua_exit_code(thread, &code, &type)
        let name = type.map { String(cString: $0) } ?? ""
        return (isCode ? Int32(code) : nil, name == "integer" ? "\(code)" : "a \(name)")
    }

    /// The error of a coroutine that has failed, with a traceback.
    func failure(of thread: LuaThread) -> String {
        let text = TextBox()
        elua_failure(open, thread, text.context, TextBox.take)
        return text.text
    }

    /// Closes what a coroutine has left open, and forgets it.
    func forget(_ thread: LuaThread, reference: Int32) {
        elua_forget(host, open, thread, reference)
    }

    /// "script.lua:12", where a coroutine is; empty where that can't be told.
    static func position(in thread: LuaThread) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            elua_position(thread, start, buffer.count)
            return String(cString: start)
        }
    }

    /// Ends it; finalizers run.
    func close() {
        if let state = state.take() { elua_close(state) }
    }

    /// Hands what the script has printed to the system.
    static func flush() { elua_flush() }

    private var open: LuaThread {
        guard let state else { preconditionFailure("this state was closed") }
        return state
    }
}

/// Where the bridge leaves a text.
private final class TextBox {
    var text = ""

    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let take: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, Int) -> Void =
        {
            context,
            bytes,
            length in
            guard let context, let bytes else { return }
            let box = Unmanaged<TextBox>.fromOpaque(context).takeUnretainedValue()
            let buffer = UnsafeRawBufferPointer(start: bytes, count: length)
            box.text = String(decoding: buffer, as: UTF8.self)
        }
}

/// Lends the strings as C has them.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result,
) -> Result {
    let bytes = strings.map { Array($0.utf8CString) }
    let joined = Array(bytes.joined())
    return joined.withUnsafeBufferPointer { joined in
        var pointers: [UnsafePointer<CChar>?] = []
        var offset = 0
        for string in bytes {
            pointers.append(joined.baseAddress.map { $0 + offset })
            offset += string.count
        }
        return pointers.withUnsafeBufferPointer(body)
    }
}
