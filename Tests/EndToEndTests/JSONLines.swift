import FoundationEssentials

/// What programs rely on in a line of `ps --json`.
struct ExecLine: Decodable {
    var container_id: String
    var exec_id: String
    var state: String
    var argv: [String]
    var labels: [String: String]
    var viewers: Int
    var stdout_bytes: Int
    var exit: ExitLine?
}

/// An exit as JSON.
struct ExitLine: Decodable {
    var code: Int
    var reason: String
    var cause: String
}

/// What programs rely on in a line of `events --json`.
struct EventLine: Decodable {
    var sequence: Int
    var kind: String
    var container_id: String
    var exec_id: String
    var missed: Int
    var info: ExecLine
}

/// What programs rely on in `status --json`.
struct StatusLine: Decodable {
    var container_id: String
    var status: String
    var execs: [ExecLine]
}

/// What programs rely on in a line of `run --json`.
struct SessionLine: Decodable {
    var event: String
    var stream: String?
    var text: String?
    var base64: String?
    var code: Int?
}

/// Decodes one object a line.
func lines<Line: Decodable>(_ text: String, of: Line.Type = Line.self) throws -> [Line] {
    try text.split(separator: "\n").map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
}
