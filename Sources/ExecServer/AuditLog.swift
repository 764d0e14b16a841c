internal import ExecModel
internal import Kernel
internal import Synchronization

/// Who did what, to which exec, and what came of it: a line `audit` of the server's log at level
/// info, and a JSON line at the end of a file of its own where one is wanted. Never output, arguments,
/// environment or tokens. Any thread.
///
/// A file that can't be written is told once, until it is opened again, and stops nothing.
final class AuditLog: Sendable {
    private let log: ServerLog
    private let path: String?
    private let clocks: any Clocks
    private let state = Mutex(State())

    private struct State {
        var file: AuditFile?
        var hasFailed = false
        /// The last line may have been cut: the next one begins with a line's end.
        var isTorn = false
    }

    /// `open` opens the file.
    init(log: ServerLog, path: String?, clocks: any Clocks) {
        (self.log, self.path, self.clocks) = (log, path, clocks)
    }

    /// Opens the file, or another one that has come in its place. Throws FAILED_PRECONDITION, and then
    /// goes on with the one it has.
    func open() throws(ExecError) {
        guard let path else { return }
        do throws(PrivateFileError) {
            let file = AuditFile(try Files.openForAppending(path))
            state.withLock { $0 = State(file: file) }
        } catch {
            throw ExecError(.failedPrecondition, "can't open the audit log '\(path)': \(error)")
        }
    }

    /// What `who` did from where.
    func entry(
        _ action: Action,
        _ target: Target,
        by who: String,
        from peer: String,
    ) -> AuditEntry {
        AuditEntry(audit: self, who: who, from: peer, action: action, target: target)
    }

    /// So many lines about this cause were left out. The log has a line of its own for that.
    func leftOut(_ count: Int, from cause: String) {
        let fields = [
            (key: "who", value: "unknown"), (key: "from", value: cause),
            (key: "what", value: "left_out"), (key: "count", value: "\(count)"),
        ]
        let (file, isTorn) = state.withLock { ($0.file, $0.isTorn) }
        if let file { append(fields, to: file, isTorn) }
    }

    fileprivate func write(_ entry: AuditEntry, _ outcome: String) {
        let isLogged = log.writes(.info)
        let (file, isTorn) = state.withLock { ($0.file, $0.isTorn) }
        guard isLogged || file != nil else { return }
        var fields = [
            (key: "who", value: entry.who), (key: "from", value: entry.from),
            (key: "what", value: entry.action.verb),
        ]
        if let field = entry.target.field { fields.append(field) }
        fields.append((key: "outcome", value: outcome))
        if isLogged { log.info("audit", fields: fields) }
        if let file { append(fields, to: file, isTorn) }
    }

    private func append(
        _ fields: [(key: String, value: String)],
        to file: AuditFile,
        _ isTorn: Bool,
    ) {
        let time = (key: "time", value: Timestamp.text(unixNS: clocks.unixNS))
        let line = "{\(ServerLog.members([time] + fields))}\n"
        let failure = file.append((isTorn ? "\n" : "") + line)
        if failure != nil || isTorn { settle(file, failure) }
    }

    private func settle(_ file: AuditFile, _ failure: AuditFile.Failure?) {
        let isNews = state.withLock { state in
            // Another one may have come in its place.
            guard state.file === file else { return false }
            if failure == nil || failure?.isTorn == true { state.isTorn = failure != nil }
            defer { if failure != nil { state.hasFailed = true } }
            return failure != nil && !state.hasFailed
        }
        if isNews, let failure {
            log.error("the audit log can't be written", ["error": "\(failure.errno)"])
        }
    }
}

/// What somebody does; what comes of it is told once that is known.
struct AuditEntry: Sendable {
    fileprivate let audit: AuditLog
    fileprivate let who: String
    fileprivate let from: String
    fileprivate let action: Action
    fileprivate let target: Target

    /// Writes the line.
    func tell(_ outcome: String) { audit.write(self, outcome) }

    /// Writes the line: `ok`, or the failure's code.
    func tell(_ error: ExecError?) { tell(error.map { "\($0.code)" } ?? "ok") }
}

/// A file that lines are added to. One write a line, so that those of several threads do not mix.
private final class AuditFile: Sendable {
    private let descriptor: Descriptor

    struct Failure {
        let errno: Errno
        /// Some of the line was written.
        let isTorn: Bool
    }

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    func append(_ line: String) -> Failure? {
        var rest = Array(line.utf8)[...]
        do throws(Errno) {
            while !rest.isEmpty {
                guard let count = try descriptor.write(rest.span.bytes), count > 0 else {
                    throw .wouldBlock
                }
                rest = rest.dropFirst(count)
            }
            return nil
        } catch {
            return Failure(errno: error, isTorn: rest.count < line.utf8.count)
        }
    }
}
