import Glibc
import Kernel
import Synchronization

/// A terminal with a shell in it, as a user has one: tmux, a server of the test's own. What it shows is
/// polled, and every wait ends after 20 seconds at most.
final class Tmux: Sendable {
    private let house: House
    private let socket: String
    private let asked = Atomic(0)

    private static let program = "/usr/bin/tmux"
    private static let patience = Duration.seconds(20)

    /// Lends a terminal of 30 rows and 90 columns; afterwards nothing of it is left.
    static func run(
        _ house: House,
        named name: String = "tmux",
        columns: Int = 90,
        _ body: (Tmux) async throws -> Void,
    ) async throws {
        let tmux = Tmux(house, name)
        let result: Result<Void, any Error>
        do {
            // The shell finds the program by its name.
            let path = try programPath()
            let directory = path[..<(path.lastIndex(of: "/") ?? path.endIndex)]
            try await tmux.command(
                ["-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "30"]
                    + ["env", "PATH=\(directory):/usr/bin:/bin", "PS1=outer> ", "sh"]
            )
            try await tmux.shows("outer>")
            result = .success(try await body(tmux))
        } catch {
            result = .failure(error)
        }
        // In a task of its own: the test's may be cancelled, and nothing may be left all the same.
        await Task.detached { _ = try? await tmux.command(["kill-server"]) }.value
        try result.get()
    }

    private init(_ house: House, _ name: String) {
        self.house = house
        socket = "\(house.directory)/\(name)"
    }

    /// Types a line.
    func type(_ line: String) async throws {
        try await command(["send-keys", "-l", line])
        try await press("Enter")
    }

    /// Presses keys by tmux's names: "C-p".
    func press(_ keys: String...) async throws { try await command(["send-keys"] + keys) }

    /// Leaves by the detach keys, and waits for the shell.
    func detach() async throws {
        try await press("C-p", "C-q")
        try await shows("come back with")
    }

    func resize(columns: Int, rows: Int) async throws {
        try await command(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// What a user would see.
    func screen() async throws -> String {
        try await command(["capture-pane", "-p"])
    }

    /// Waits until the screen is as wanted; meanwhile `again` is done before each look.
    @discardableResult
    func shows(
        _ text: String,
        again: () async throws -> Void = {},
    ) async throws -> String {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            try await again()
            let screen = try await screen()
            if screen.contains(text) { return screen }
            guard ContinuousClock.now < deadline else {
                throw Unexpected("'\(text)' is not shown, but this: \(screen)")
            }
            try await Task.sleep(for: .milliseconds(25))
        }
    }

    /// The terminal's modes, as the shell is told them.
    func modes() async throws -> String {
        let (_, number) = asked.add(1, ordering: .relaxed)
        let path = "\(socket).modes"
        // What is typed looks otherwise than what that shows.
        try await type("clear; stty -g > \(path); echo modes ''known: \(number)")
        try await shows("modes known: \(number)")
        return String(decoding: try Files.readSmall(path, max: 4096), as: UTF8.self)
    }

    @discardableResult
    private func command(_ words: [String]) async throws -> String {
        let said = try await house.start(program: Self.program, ["-u", "-S", socket] + words).end()
        guard said.code == 0 else { throw Unexpected("tmux \(words): \(said.stderr)") }
        return said.stdout
    }
}
