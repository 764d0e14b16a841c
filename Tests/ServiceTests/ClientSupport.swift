import ExecClient
import ExecModel

/// The ways to a server.
enum Route: CaseIterable, Sendable { case tcp, unix }

extension Service {
    func address(_ route: Route = .tcp) -> String {
        switch route {
        case .tcp: "tcp:127.0.0.1:\(port)"
        case .unix: "unix:\(socketPath)"
        }
    }

    /// Lends a client of this server; by TCP with the token, by the socket without.
    func withClient<R>(
        _ route: Route = .tcp,
        options: ClientOptions = ClientOptions(),
        _ body: (ExecClient) async throws -> R,
    ) async throws -> R {
        let client = try ExecClient(
            address: address(route),
            token: route == .tcp ? token : nil,
            options: options
        )
        defer { client.close() }
        return try await body(client)
    }
}

/// The exec that most tests are about.
func key(_ exec: String = "one", in container: String = "test") throws -> ExecKey {
    try ExecKey(container: container, exec: exec)
}

/// A shell command.
func shell(_ script: String, stdin: Bool = false) -> Command {
    var command = Command(["sh", "-c", script])
    command.stdin = stdin
    return command
}

/// What one session told.
struct Account: Sendable {
    private(set) var events: [SessionEvent] = []

    mutating func add(_ event: SessionEvent) { events.append(event) }

    /// All that a session tells, to its end.
    static func of(_ session: Session) async throws -> Account {
        var account = Account()
        for try await event in session.events { account.add(event) }
        return account
    }

    var ready: SessionEvent.Ready? {
        guard case .ready(let ready)? = events.first else { return nil }
        return ready
    }

    /// The exit, where it came once and last.
    var exit: Exit? {
        guard exitCount == 1, case .exit(let exit)? = events.last else { return nil }
        return exit
    }

    var exitCount: Int {
        events.count { if case .exit = $0 { true } else { false } }
    }

    var readyCount: Int {
        events.count { if case .ready = $0 { true } else { false } }
    }

    var resumptions: [SessionEvent.Resumption] {
        events.compactMap { if case .resumed(let resumed) = $0 { resumed } else { nil } }
    }

    var chunks: [SessionEvent.Output] {
        events.compactMap { if case .output(let output) = $0 { output } else { nil } }
    }

    func bytes(_ stream: ExecStream = .stdout) -> [UInt8] {
        chunks.filter { $0.stream == stream }.flatMap(\.bytes)
    }

    func text(_ stream: ExecStream = .stdout) -> String {
        String(decoding: bytes(stream), as: UTF8.self)
    }
}

extension Session.Events.AsyncIterator {
    /// Takes events until stdout's text so far is what is wanted.
    mutating func output(_ wanted: String) async throws {
        var account = Account()
        while account.text() != wanted {
            guard let event = try await next(isolation: nil) else {
                throw Unexpected("the session ended after '\(account.text())'")
            }
            if case .exit(let exit) = event { throw Unexpected("the exit came: \(exit)") }
            account.add(event)
            guard wanted.hasPrefix(account.text()) else {
                throw Unexpected("'\(account.text())' came instead of '\(wanted)'")
            }
        }
    }

    /// Takes events until stdout's text since the call has `wanted` in it; answers that text.
    @discardableResult
    mutating func until(_ wanted: String) async throws -> String {
        var account = Account()
        while !account.text().contains(wanted) {
            guard let event = try await next(isolation: nil) else {
                throw Unexpected("the session ended after '\(account.text())'")
            }
            if case .exit(let exit) = event {
                throw Unexpected("the exit came after '\(account.text())': \(exit)")
            }
            account.add(event)
        }
        return account.text()
    }

    /// Takes events until the terminal's size is told.
    mutating func resized() async throws -> WindowSize {
        while let event = try await next(isolation: nil) {
            if case .resized(let size) = event { return size }
        }
        throw Unexpected("the session ended without a size")
    }

    /// Takes events until the session has come back after a break.
    mutating func resumption() async throws -> SessionEvent.Resumption {
        while let event = try await next(isolation: nil) {
            if case .resumed(let resumption) = event { return resumption }
        }
        throw Unexpected("the session ended without coming back")
    }

    /// Takes the rest.
    mutating func rest() async throws -> Account {
        var account = Account()
        while let event = try await next(isolation: nil) { account.add(event) }
        return account
    }
}

extension ContainerEvents {
    /// Takes events until one of this kind.
    @discardableResult
    func next(_ kind: LifecycleEvent.Kind) async throws -> LifecycleEvent {
        guard let event = try await first(where: { $0.kind == kind }) else {
            throw Unexpected("no \(kind) came")
        }
        return event
    }
}

/// Something that a test waits for, once.
final class Flag: Sendable {
    private let stream: AsyncStream<Never>
    private let continuation: AsyncStream<Never>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Never.self) }

    func raise() { continuation.finish() }

    /// Returns once it was raised, or the test was cancelled.
    func wait() async { for await _ in stream {} }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What `body` fails with.
func failure(_ body: () async throws -> Void) async throws -> ExecError {
    do {
        try await body()
    } catch let error as ExecError {
        return error
    }
    throw Unexpected("it did not fail")
}
