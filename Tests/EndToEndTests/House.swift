import Glibc
import Kernel
import Synchronization

/// The program as it was built, a directory for its state, and a server of the test's own.
final class House: Sendable {
    let directory: String
    private let loops: EventLoopGroup
    private let children = Mutex<[Child]>([])
    private let served = Mutex<(server: Child, address: String)?>(nil)
    private let token = Mutex<String?>(nil)

    private init() throws {
        directory = try Files.makeTemporaryDirectory(in: "/tmp", prefix: "execstream-test-")
        loops = try EventLoopGroup(count: 1, name: "children")
    }

    /// Lends a running server; afterwards nothing of it is left.
    static func run(_ options: [String] = [], _ body: (House) async throws -> Void) async throws {
        try await withoutServer { house in
            try await house.serve(options)
            try await body(house)
        }
    }

    /// Lends a place to run programs in, where no server runs.
    static func withoutServer(_ body: (House) async throws -> Void) async throws {
        let house = try House()
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(house))
        } catch {
            result = .failure(error)
        }
        await house.close()
        try result.get()
    }

    var server: Child {
        get throws { try running().server }
    }

    var address: String {
        get throws { try running().address }
    }

    private func running() throws -> (server: Child, address: String) {
        guard let served = served.withLock({ $0 }) else { throw Unexpected("no server runs") }
        return served
    }

    /// Starts a server on a port of its own; `wrapper` are the words of a program that starts it.
    func serve(_ options: [String] = [], in wrapper: [String] = []) async throws {
        let state = "\(directory)/execstream"
        let words =
            [try programPath(), "serve", "--listen", "tcp:127.0.0.1:0", "--state", state] + options
        let all = wrapper + words
        let server = try start(program: all[0], Array(all.dropFirst()))
        let view = try await server.wait { $0.stderr.contains("\nready\n") }
        let line = view.stderr.split(separator: "\n").first { $0.hasPrefix("listening on ") }
        guard let line else { throw Unexpected("it does not say where it listens: \(view.stderr)") }
        served.withLock { $0 = (server, String(line.dropFirst("listening on ".count))) }
    }

    /// Gives the server's token to programs that start from now on. They do not find it themselves where
    /// the server runs as another user.
    func giveToken() throws {
        let bytes = try Files.readSmall("\(directory)/execstream/token", max: 1000)
        let text = String(decoding: bytes, as: UTF8.self)
        token.withLock { $0 = text.split(separator: "\n").first.map(String.init) }
    }

    /// Starts the program. Clients find the server, and its token, by their environment.
    func start(_ words: [String], input: String? = "") throws -> Child {
        try start(program: try programPath(), words, input: input)
    }

    /// Starts another program, with the same environment.
    func start(program: String, _ words: [String], input: String? = "") throws -> Child {
        var environment = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=\(directory)", "XDG_STATE_HOME=\(directory)",
        ]
        if let address = try? address { environment.append("EXECSTREAM_ADDRESS=\(address)") }
        if let token = token.withLock({ $0 }) { environment.append("EXECSTREAM_TOKEN=\(token)") }
        let child = try Child(
            [program] + words,
            environment: environment,
            input: input.map { Array($0.utf8) },
            loop: loops.next()
        )
        children.withLock { $0.append(child) }
        return child
    }

    /// Runs the program to its end.
    func run(_ words: String..., input: String = "") async throws -> Child.View {
        try await start(words, input: input).end()
    }

    private func close() async {
        let children = children.withLock { $0 }
        // The server ends last: it takes its execs along.
        let server = served.withLock { $0?.server }
        for child in children where child !== server { child.signal(SIGKILL) }
        server?.signal(SIGTERM)
        server?.signal(SIGINT)
        // In a task of its own: the test's may be cancelled, and nothing may be left all the same.
        await Task.detached {
            for child in children where (try? await child.end()) == nil { child.signal(SIGKILL) }
        }.value
        loops.shutdown()
        try? Files.removeTree(directory)
    }
}

/// The program, beside the test bundle.
func programPath() throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { throw Errno(errno) }
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = path.lastIndex(of: "/") else { throw Unexpected("\(path) is no path") }
    let program = String(path[...slash]) + "execstream"
    guard access(program, X_OK) == 0 else { throw Unexpected("\(program) has not been built") }
    return program
}
