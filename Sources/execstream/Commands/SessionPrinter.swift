internal import ExecClient
internal import ExecModel

/// Shows a session's events: the exec's stdout on stdout and its stderr on stderr, or JSON lines.
struct SessionPrinter {
    private let key: ExecKey
    private let console: Console
    private let isJSON: Bool
    private let hasTimestamps: Bool
    private var stdoutStamper = LineStamper()
    private var stderrStamper = LineStamper()

    /// Shows nothing yet.
    init(_ key: ExecKey, _ context: Context, timestamps: Bool = false) {
        self.key = key
        console = context.console
        isJSON = context.isJSON
        hasTimestamps = timestamps
    }

    /// Shows all events until the end; answers the exec's code, or 0 where the view ended before it.
    /// Calls `before` and `after` around showing each.
    mutating func follow(
        _ session: Session,
        before: (SessionEvent) throws(Failure) -> Void = { _ in },
        after: (SessionEvent) -> Void = { _ in },
    ) async throws(Failure) -> Int32 {
        var iterator = session.events.makeAsyncIterator()
        var code: Int32 = 0
        while let event = try await reporting({ () async throws(ExecError) in
            try await iterator.next(isolation: nil)
        }) {
            if case .exit(let exit) = event { code = exit.code }
            try before(event)
            try show(event)
            after(event)
        }
        return code
    }

    /// Shows one event.
    mutating func show(_ event: SessionEvent) throws(Failure) {
        if isJSON { return try console.print(JSON(event)) }
        switch event {
        case .output(let output): try show(output)
        case .gap(let gap):
            console.complain(Self.line(gap))
        case .resumed(let resumption) where resumption.stdinUncertain:
            console.complain(
                "the connection broke while stdin was on its way; \(key) may have got only part of it",
            )
        case .exit(let exit): explain(exit)
        case .ready, .ended, .state, .resized, .resumed: break
        }
    }

    /// A gap for people.
    static func line(_ gap: Gap) -> String {
        let before = gap.firstSequence == 0 ? 0 : gap.firstSequence - 1
        let count = gap.lastSequence < before ? 0 : gap.lastSequence - before
        let bytes = Amounts.bytes(gap.stdoutBytes.saturatingAdd(gap.stderrBytes))
        return "\(count) chunks of output (\(bytes)) were skipped"
    }

    private mutating func show(_ output: SessionEvent.Output) throws(Failure) {
        var bytes = output.bytes
        switch output.stream {
        case .stdout:
            if hasTimestamps { bytes = stdoutStamper.stamped(bytes, unixNS: output.unixNS) }
            try console.write(bytes)
        case .stderr:
            if hasTimestamps { bytes = stderrStamper.stamped(bytes, unixNS: output.unixNS) }
            try console.writeError(bytes)
        }
    }

    /// Says what the code alone does not.
    private func explain(_ exit: Exit) {
        if exit.cause != .unspecified, exit.cause != .client {
            console.complain("\(key) was stopped: \(exit.cause.text)")
        }
        if !exit.message.isEmpty { console.complain("\(key): \(exit.message)") }
        // Of an end that was not observed nobody knows what is left.
        if !exit.drained, exit.reason != .runtimeError {
            let pids = exit.holderPIDs.map { "\($0)" }.joined(separator: ", ")
            let who = pids.isEmpty ? "some process" : "process \(pids)"
            console.complain("\(key) left \(who) behind, whose later output is not shown")
        }
    }
}

extension StopCause {
    /// For people, after "it was stopped:".
    fileprivate var text: String {
        switch self {
        case .unspecified: "nobody asked"
        case .client: "a client asked"
        case .timeout: "its timeout passed"
        case .disconnect: "its last viewer went away"
        case .shutdown: "the server shuts down"
        case .limit: "it passed a limit"
        }
    }
}

extension JSON {
    /// One event of a session, under its name. Output is `text` where it is UTF-8, else `base64`.
    init(_ event: SessionEvent) {
        switch event {
        case .ready(let ready):
            self = .object([
                "event": "ready", "joined": .bool(ready.joined),
                "first_sequence": .unsigned(ready.firstSequence),
                "last_sequence": .unsigned(ready.lastSequence), "info": JSON(ready.info),
            ])
        case .output(let output): self.init(output)
        case .gap(let gap):
            self = .object([
                "event": "gap", "first_sequence": .unsigned(gap.firstSequence),
                "last_sequence": .unsigned(gap.lastSequence),
                "stdout_bytes": .unsigned(gap.stdoutBytes),
                "stderr_bytes": .unsigned(gap.stderrBytes),
            ])
        case .ended(let ended):
            self = .object([
                "event": "ended", "code": .int(ended.code), "signal": .int(ended.signal),
                "unix_ns": .int(ended.unixNS),
            ])
        case .state(let change):
            self = .object([
                "event": "state", "state": .string(change.state.jsonName),
                "unix_ns": .int(change.unixNS),
            ])
        case .resized(let size): self = JSON(size).preceded(by: ["event": "resized"])
        case .resumed(let resumption):
            self = .object([
                "event": "resumed", "stdin_uncertain": .bool(resumption.stdinUncertain),
            ])
        case .exit(let exit): self = JSON(exit).preceded(by: ["event": "exit"])
        }
    }

    private init(_ output: SessionEvent.Output) {
        let text = String(validating: output.bytes, as: UTF8.self)
        let data = text.map(JSON.string) ?? .string(Base64.encode(output.bytes))
        self = .object([
            "event": "output", "sequence": .unsigned(output.sequence),
            "stream": .string("\(output.stream)"), "offset": .unsigned(output.offset),
            "unix_ns": .int(output.unixNS), "replay": .bool(output.replay),
            text == nil ? "base64" : "text": data,
        ])
    }
}
