import ExecModel
import Glibc
import Testing

@testable import execstream

@Suite("A command that runs here", .timeLimit(.minutes(1)))
struct LocalProcessTests {
    private let environment = ["PATH": "/usr/bin:/bin"]

    @Test func `loses nothing of what it wrote, however late a piece is taken`() async throws {
        let script = "trap 'echo b; exit 3' USR1; echo $$; while :; do sleep 0.01; done"
        let process = try LocalProcess(
            ["sh", "-c", script],
            environment: environment,
            drain: .zero
        )
        var written = ""
        for await event in process.events {
            switch event {
            case .output(let bytes, _, let taken):
                let text = String(decoding: bytes, as: UTF8.self)
                if written.isEmpty {
                    // Held until it is gone.
                    let pid = try #require(Int32(text.dropLast()))
                    process.signal(SIGUSR1) {}
                    while kill(pid, 0) == 0 { await Task.yield() }
                }
                written += text
                taken()
            case .exited(let code, _, _):
                #expect(code == 3)
            }
        }
        #expect(written.hasSuffix("\nb\n"))
    }

    @Test func `is not followed for longer because somebody writes on`() async throws {
        let process = try LocalProcess(
            ["sh", "-c", "yes & echo $! >&2"],
            environment: environment,
            drain: .zero
        )
        var writer = ""
        for await event in process.events {
            switch event {
            case .output(let bytes, .stderr, let taken):
                writer += String(decoding: bytes, as: UTF8.self)
                taken()
            case .output(_, .stdout, let taken):
                taken()
            case .exited(let code, _, _):
                #expect(code == 0)
            }
        }
        kill(try #require(Int32(writer.dropLast())), SIGKILL)
    }

    @Test func `that never ran leaves a signal to us`() async throws {
        let process = try LocalProcess(["no-such-command"], environment: environment)
        await withCheckedContinuation { done in process.signal(SIGTERM) { done.resume() } }
        for await event in process.events {
            guard case .exited(let code, _, let message) = event else { continue }
            #expect(code == 127)
            #expect(message.contains("no-such-command"))
        }
    }
}
