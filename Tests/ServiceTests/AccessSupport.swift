import ExecModel
import ExecServer
import Kernel
import Synchronization
import Wire

/// A file of tokens in a directory of its own.
struct TokensFile: ~Copyable {
    let path: String
    private let directory: String

    init(_ text: String) throws {
        directory = temporaryDirectory()
        path = "\(directory)/tokens"
        try write(text)
    }

    deinit { try? Files.removeTree(directory) }

    func write(_ text: String, permissions: UInt32 = 0o600) throws {
        try Files.writeAtomically(path, Array(text.utf8), permissions: permissions)
    }
}

/// The lines that a server has logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    var text: String { all.joined() }

    func log(_ level: ServerLog.Level = .debug) -> ServerLog {
        ServerLog(level: level) { [self] line in lines.withLock { $0.append(line) } }
    }

    /// The audit lines without where they came from: `ops start c/e started`.
    var audit: [String] {
        all.filter { $0.hasPrefix("info audit ") }.map { line in
            line.split(separator: " ").dropFirst(2).filter { !$0.hasPrefix("from=") }
                .compactMap { $0.split(separator: "\"").dropFirst().first }
                .joined(separator: " ")
        }
    }
}

extension RawClient {
    /// Connects, and shows a token.
    convenience init(_ service: Service, token: String) throws {
        try self.init(port: service.port)
        let answer = try call(.hello, HelloRequest(client: "raw/1", token: token))
        if let failure = answer.status { throw failure }
    }

    /// Attaches, and returns when it has.
    func attach(_ container: String, _ exec: String, id: UInt32) throws -> Ready {
        try start(Start(containerID: container, execID: exec), id: id)
        return try ready(id)
    }

    /// What stream `id` begins with; throws what it fails with.
    func ready(_ id: UInt32) throws -> Ready {
        while true {
            let frame = try next()
            guard frame.header.streamID == id else { continue }
            if frame.header.type == .response {
                throw try CallResponse.decode(frame.payload.span.bytes).status
                    ?? ExecError(.unknown, "an answer without a failure")
            }
            if case .ready(let ready) = try SessionResponse.decode(frame.payload.span.bytes) {
                return ready
            }
        }
    }
}
