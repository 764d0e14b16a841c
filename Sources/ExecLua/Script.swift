package import ExecClient
package import ExecCore
internal import Kernel
internal import Synchronization

/// One run of a script in Lua. Runs once.
///
/// The script has one thread of its own, on which all of it runs. What it has started is stopped when it
/// ends, however that is.
package final class Script: Sendable {
    private let options: ScriptOptions
    private let servers: ServerPool
    private let ledger = ExecLedger()
    private let ended = Once<Ended>()
    private let state = Mutex(State())

    private struct State {
        var host: LoopBound<ScriptHost>?
        /// What came before there was a host.
        var interruption: Int32?
    }

    private enum Ended {
        case cleanly(ScriptEnd)
        /// It was interrupted, and its thread does not come back.
        case stuck(signal: Int32)
    }

    /// How long a script may take to leave what it is doing when it is interrupted.
    private static let leaveTime = Duration.seconds(1)

    /// Nothing happens before `run`.
    package init(_ options: ScriptOptions) {
        self.options = options
        var client = ClientOptions()
        client.clientName = options.clientName
        client.tls = options.tls
        client.allowsInsecureTCP = options.allowsInsecureTCP
        servers = ServerPool(own: options.server, options: client)
    }

    /// Runs the script to its end, and returns when all that it had started has ended too. A task that
    /// is cancelled interrupts it.
    package func run() async -> ScriptEnd {
        let group: EventLoopGroup
        do throws(Errno) {
            group = try EventLoopGroup(count: 1, name: "lua")
        } catch {
            return .failed("no thread could be made: \(error)")
        }
        let loop = group.next()
        loop.execute { [self] in begin(on: loop) }
        let how = await withTaskCancellationHandler {
            await ended.value()
        } onCancel: {
            interrupt(Signals.terminate)
        }
        // Not in this task, which may be cancelled: what runs is stopped all the same.
        await Task.detached { [self] in
            for problem in await ledger.stopAll() { options.report(problem) }
            await servers.close()
        }.value
        switch how {
        case .cleanly(let end):
            group.shutdown()
            state.withLock { $0.host = nil }
            return end
        case .stuck(let signal):
            // Its thread runs on in code of the script that never waits: what it uses stays.
            _ = Unmanaged.passRetained(group)
            _ = Unmanaged.passRetained(self)
            return .interrupted(signal)
        }
    }

    /// Ends the script: nothing of it runs any more, and what it has started is stopped. One that has
    /// ended is hurried.
    ///
    /// A script that keeps its thread busy without ever waiting is left behind; the process should end
    /// then.
    package func interrupt(_ signal: Int32) {
        if ended.settled != nil { return hurry() }
        let host = state.withLock { state in
            state.interruption = signal
            return state.host
        }
        guard let host else { return }
        host.loop.execute { host.value.scheduler.interrupt(signal) }
        // Detached: whoever interrupts does not wait.
        Task.detached { [ended] in
            try? await Task.sleep(for: Self.leaveTime)
            ended.settle(.stuck(signal: signal))
        }
    }

    /// Kills what is being stopped.
    package func hurry() { ledger.killAll() }

    private func begin(on loop: EventLoop) {
        let host = ScriptHost(options, servers: servers, ledger: ledger, loop: loop)
        let interruption = state.withLock { state in
            state.host = LoopBound(host, on: loop)
            return state.interruption
        }
        if let interruption { return ended.settle(.cleanly(.interrupted(interruption))) }
        host.begin(options) { [ended] in ended.settle(.cleanly($0)) }
    }
}

/// What a script is given.
package struct ScriptOptions: Sendable {
    /// The file.
    package var path: String
    /// What the script finds in `arg` and `...`.
    package var arguments: [String] = []
    /// Where processes run whose resource does not say.
    package var server: ScriptServer
    /// What `exec.get` knows.
    package var resources = ResourceFile.standard
    /// For servers on TCP; nil: connections are plain.
    package var tls: ClientTLS?
    /// Whether tokens may go over plain TCP to other than loopback addresses.
    package var allowsInsecureTCP = false
    /// What servers' logs call it.
    package var clientName = "execstream-lua/1"
    /// Is told of what goes wrong while the script goes on, in whole lines without the last newline.
    package var report: @Sendable (String) -> Void

    /// A script with every option at its default.
    package init(
        path: String,
        server: ScriptServer,
        report: @escaping @Sendable (String) -> Void,
    ) {
        self.path = path
        self.server = server
        self.report = report
    }
}

/// A script's own server.
package enum ScriptServer: Sendable {
    /// One in this process, made when it is needed. What it needs on disk is in a directory of its own
    /// in `directory`.
    case embedded(ProcessOptions, directory: String)
    /// One that runs already.
    case server(address: String, token: ClientToken)
}

/// How a script has ended.
package enum ScriptEnd: Equatable, Sendable {
    /// It returned, or called `os.exit`.
    case returned(Int32)
    /// It failed; the message has a traceback, where there is one.
    case failed(String)
    /// Its file can't be read.
    case unreadable(String)
    /// It was interrupted.
    case interrupted(Int32)
}
