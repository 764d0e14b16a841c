internal import ExecModel
internal import Kernel

/// The server's log: a constant message and key=value fields a line, to stderr or wherever it is
/// sent. Never output, arguments or environment of an exec.
public struct ServerLog: Sendable {
    /// How much a line matters.
    public enum Level: Int, Sendable, CaseIterable {
        /// For whoever looks for a fault.
        case debug
        /// What happens in the normal course.
        case info
        /// Something to look at.
        case warning
        /// Something does not work.
        case error
    }

    /// What a line looks like.
    public enum Format: Sendable {
        /// `level message key=value`.
        case text
        /// One JSON object.
        case json
    }

    private let level: Level
    private let format: Format
    private let write: @Sendable (String) -> Void

    /// Makes a log that writes lines of `level` and above with `write`.
    public init(
        level: Level = .warning,
        format: Format = .text,
        write: @escaping @Sendable (String) -> Void = ServerLog.writeToStandardError,
    ) {
        self.level = level
        self.format = format
        self.write = write
        // Opened now: the day on which there are no more descriptors is one to tell of.
        _ = StandardError.shared
    }

    /// Writes one line, its newline included, to stderr; a stderr that can't be written loses it.
    public static func writeToStandardError(_ line: String) {
        _ = try? StandardError.shared.descriptor?.write(Array(line.utf8).span.bytes)
    }

    func debug(_ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]) {
        log(.debug, message, fields)
    }

    func info(_ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]) {
        log(.info, message, fields)
    }

    func warning(_ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]) {
        log(.warning, message, fields)
    }

    func error(_ message: StaticString, _ fields: KeyValuePairs<String, String> = [:]) {
        log(.error, message, fields)
    }

    func info(_ message: StaticString, fields: [(key: String, value: String)]) {
        log(.info, message, fields)
    }

    /// Whether lines of this level are written.
    func writes(_ level: Level) -> Bool { level.rawValue >= self.level.rawValue }

    private func log(
        _ level: Level,
        _ message: StaticString,
        _ fields: some Collection<(key: String, value: String)>,
    ) {
        guard writes(level) else { return }
        switch format {
        case .text:
            let pairs = fields.map { " \($0.key)=\(Self.quoted($0.value))" }.joined()
            write("\(level) \(message)\(pairs)\n")
        case .json:
            let head = [(key: "level", value: "\(level)"), (key: "message", value: "\(message)")]
            write("{\(Self.members(head + fields))}\n")
        }
    }

    /// The inside of a JSON object.
    static func members(_ fields: [(key: String, value: String)]) -> String {
        fields.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",")
    }

    /// As a JSON string: a peer's text can't forge a line.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            // A terminal takes U+009B for an escape sequence's beginning, and U+202E turns a line around.
            case _ where scalar.isInvisible: result += scalar.jsonEscape
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The process's stderr as it was when the first log was made.
private final class StandardError: Sendable {
    static let shared = StandardError()
    let descriptor = try? Descriptor.standardError()
}
