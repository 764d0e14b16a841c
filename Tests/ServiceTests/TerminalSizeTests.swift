import ExecClient
import ExecModel
import Testing
import Wire

@Suite("A terminal's size", .serialized, .timeLimit(.minutes(1)))
struct TerminalSizeTests {
    /// Writes its terminal's size whenever that changes.
    private static let watcher = """
        trap 'stty size' WINCH; echo ready; while :; do sleep 0.1 & wait; done
        """

    private func command(_ script: String = Self.watcher) -> Command {
        var command = shell(script)
        command.terminal = Terminal(size: WindowSize(rows: 30, columns: 90))
        return command
    }

    @Test("can be changed at any time, and the programs are told")
    func resize() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), command())
                var iterator = session.events.makeAsyncIterator()
                try await iterator.until("ready\r\n")
                try await session.resize(to: WindowSize(rows: 40, columns: 100))
                #expect(try await iterator.resized() == WindowSize(rows: 40, columns: 100))
                try await iterator.until("40 100\r\n")
                let info = try await client.wait(try key(), timeoutMS: 0)
                #expect(info.window == WindowSize(rows: 40, columns: 100))
            }
        }
    }

    @Test("is never none: what is 0 stays as it is")
    func zero() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), command())
                var iterator = session.events.makeAsyncIterator()
                try await iterator.until("ready\r\n")
                try await session.resize(to: WindowSize(rows: 0, columns: 0))
                #expect(try await iterator.resized() == WindowSize(rows: 30, columns: 90))
                try await session.resize(to: WindowSize(rows: 0, columns: 70))
                #expect(try await iterator.resized() == WindowSize(rows: 30, columns: 70))
                try await session.resize(to: WindowSize(rows: 65535, columns: 0))
                #expect(try await iterator.resized() == WindowSize(rows: 65535, columns: 70))
                try await iterator.until("65535 70\r\n")
            }
        }
    }

    @Test("is told to every client, whoever changes it; the newest holds")
    func everybody() async throws {
        try await Service.run { service in
            try await service.withClient { first in
                try await service.withClient(.unix) { second in
                    let one = first.run(try key(), command())
                    var ones = one.events.makeAsyncIterator()
                    try await ones.until("ready\r\n")
                    let two = second.attach(try key())
                    var twos = two.events.makeAsyncIterator()
                    try await twos.until("ready\r\n")
                    for (session, rows) in [(one, 41), (two, 42), (one, 43)] {
                        let size = WindowSize(rows: UInt32(rows), columns: 100)
                        try await session.resize(to: size)
                        #expect(try await ones.resized() == size)
                        #expect(try await twos.resized() == size)
                    }
                    let late = second.attach(try key())
                    var lates = late.events.makeAsyncIterator()
                    let ready = try await lates.next(isolation: nil)
                    guard case .ready(let told)? = ready else {
                        throw Unexpected("\(String(describing: ready)) came first")
                    }
                    #expect(told.info.window == WindowSize(rows: 43, columns: 100))
                }
            }
        }
    }

    @Test("that was changed before the answer to Start comes after it")
    func afterReady() async throws {
        try await Service.run { service in
            let client = try RawClient(service)
            let script = "read line; stty size"
            try client.start(Start(containerID: "a", execID: "b", command: command(script)), id: 3)
            try client.send(SessionRequest.resize(WindowSize(rows: 5, columns: 6)), id: 3)
            try client.send(SessionRequest.stdin(Array("\n".utf8)), id: 3)
            let said = try client.session(3)
            #expect(said.ready?.info.window == WindowSize(rows: 30, columns: 90))
            #expect(said.responses.contains(.resized(WindowSize(rows: 5, columns: 6))))
            #expect(said.text(.stdout) == "\r\n5 6\r\n")
            #expect(said.exit?.code == 0)
        }
    }

    @Test("is not for a read-only viewer to change, nor more than a terminal can have")
    func refused() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), command())
                var iterator = session.events.makeAsyncIterator()
                try await iterator.until("ready\r\n")
                for (isReadOnly, size, code) in [
                    (true, WindowSize(rows: 1, columns: 1), ExecError.Code.permissionDenied),
                    (false, WindowSize(rows: 65536, columns: 1), .invalidArgument),
                    (false, WindowSize(rows: 1, columns: .max), .invalidArgument),
                ] {
                    var view = View()
                    view.readOnly = isReadOnly
                    let other = client.attach(try key(), view: view)
                    try await other.resize(to: size)
                    #expect(try await failure { try await other.exit() }.code == code)
                }
                #expect(
                    try await client.wait(try key(), timeoutMS: 0).window
                        == WindowSize(rows: 30, columns: 90)
                )
            }
        }
    }

    @Test("can't be had by what has no terminal, nor be too large at the start")
    func wrong() async throws {
        try await Service.run { service in
            try await service.withClient { client in
                let session = client.run(try key(), shell("echo up; exec sleep 60"))
                var iterator = session.events.makeAsyncIterator()
                try await iterator.output("up\n")
                try await session.resize(to: WindowSize(rows: 1, columns: 1))
                let error = try await failure { _ = try await iterator.rest() }
                #expect(error.code == .failedPrecondition)
                #expect(error.message.contains("no terminal"))
                var command = command()
                command.terminal?.size.columns = 65536
                let large = client.run(try key("large"), command)
                let refusal = try await failure { try await large.exit() }
                #expect(refusal.code == .invalidArgument)
                #expect(refusal.message.contains("command.terminal.columns is 65536"))
            }
        }
    }

    @Test("is learned again by a session that comes back, which changes nothing by itself")
    func resumed() async throws {
        try await Service.run { service in
            let proxy = try CuttingProxy(to: service.port, limits: [])
            defer { proxy.close() }
            let client = try ExecClient(address: proxy.address, token: service.token)
            defer { client.close() }
            try await service.withClient { direct in
                let session = client.run(try key(), command())
                var iterator = session.events.makeAsyncIterator()
                try await iterator.until("ready\r\n")
                try await session.resize(to: WindowSize(rows: 41, columns: 100))
                #expect(try await iterator.resized() == WindowSize(rows: 41, columns: 100))
                let other = direct.attach(try key())
                var others = other.events.makeAsyncIterator()
                try await others.until("41 100\r\n")

                proxy.cut()
                try await other.resize(to: WindowSize(rows: 50, columns: 110))
                #expect(try await iterator.resized() == WindowSize(rows: 50, columns: 110))
                #expect(try await others.resized() == WindowSize(rows: 50, columns: 110))

                // Nothing of it comes from the session that came back: the next is somebody's own.
                try await session.resize(to: WindowSize(rows: 60, columns: 120))
                #expect(try await others.resized() == WindowSize(rows: 60, columns: 120))
                #expect(try await iterator.resized() == WindowSize(rows: 60, columns: 120))
            }
        }
    }
}
