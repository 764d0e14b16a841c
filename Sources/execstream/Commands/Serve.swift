internal import ExecModel
internal import ExecServer
internal import Glibc
internal import Kernel

/// `execstream serve`: the server.
enum ServeCommand: ProgramCommand {
    static let spec = CommandSpec(
        name: "serve",
        summary: "Serve execs to clients",
        options: [
            .value("listen", "ADDR", repeats: true, "where to listen: unix:PATH or tcp:HOST:PORT"),
            .value("state", "DIR", "where logs and the token are kept"),
            .value(
                "token-file",
                "FILE",
                "the token with which TCP clients may do everything; must be 0600"
            ),
            .value("tokens", "FILE", "further tokens, with names and roles; must be 0600"),
            .value("audit-log", "FILE", "add a JSON line for whatever is done, and each refusal"),
            .value(
                "tls-cert",
                "FILE",
                "the certificate of TCP listeners, in PEM; they take TLS only"
            ),
            .value("tls-key", "FILE", "its key; must be 0600"),
            .value(
                "tls-client-ca",
                "FILE",
                "the CAs of clients, which must then have a certificate"
            ),
            .flag("insecure", "plain TCP on other addresses than loopback ones"),
            .value("retention", "DUR", "how long an exited exec is kept (5m)"),
            .value("sweep", "DUR", "how often those whose time has passed are removed (30s)"),
            .value(
                "start-time",
                "DUR",
                "how long a start may take before it has failed, with the step that hung (10s)"
            ),
            .value("grace", "DUR", "between the stop signal and SIGKILL (10s)"),
            .value("drain", "DUR", "how long output may outlive the process (2s)"),
            .value(
                "keepalive",
                "DUR",
                "after so much silence a TCP client is asked whether it is there (60s)"
            ),
            .value("log-format", "FORMAT", "text (the default) or json"),
            .value("log-level", "LEVEL", "debug, info, warning (the default) or error"),
        ] + ServeLimits.options,
        isClient: false,
        details: [
            """
            Without --listen it listens on unix:$XDG_RUNTIME_DIR/execstream.sock, or on \
            execstream.sock in the state directory; that socket admits the same user and root. A TCP \
            client has to show a token: one of the --tokens file, or the one that the first start \
            writes to the file 'token' in the state directory. A TCP port without --tls-cert is not \
            encrypted, and refused unless its address is a loopback one.
            """,
            """
            A line of the --tokens file is NAME ROLE[:PREFIX,...] TOKEN, or a comment after #. ROLE is \
            view (attach, logs, wait, list, status, events), run (also start, stdin, signal, stop, \
            publish) or admin (everything); with PREFIXES it is good for containers whose names begin \
            with one of them.
            """,
            """
            SIGHUP has the tokens, the certificate, its key and the CAs read again, as far as all of \
            them can be used, and the audit log opened again.
            """,
            """
            SIGTERM or SIGINT ends it: no new connections, every exec is stopped, every viewer gets \
            its exit. A second signal kills what is left.
            """,
        ],
    )

    static func run(_ arguments: Arguments, _ context: Context) async throws(Failure) -> Int32 {
        let settings = try ServeSettings(arguments, context)
        // One for each listener, viewer and pipe: take what the system lets us have.
        let openFiles = ResourceLimits.openFiles
        ResourceLimits.raiseOpenFiles()
        let directory = try opened { () throws(ExecError) in
            try StateDirectory(settings.stateDirectory) {
                let cgroups = Cgroups()
                let count = cgroups.removeLeftovers()
                context.console.note(
                    "ended \(count) processes that an earlier server had left\n"
                )
                cgroups.close()
            }
        }
        defer { withExtendedLifetime(directory) {} }
        let registry = ExecSessionRegistry(configuration: settings.registry, in: directory)
        var options = settings.server
        options.token = try TokenFile.readOrMake(settings.tokenFile)
        options.processes.baseEnvironment = baseEnvironment(context)
        // Commands get what this program was given, not what it took.
        options.processes.openFilesMax = openFiles.soft
        options.collectsOrphans = true
        adoptLeftovers(of: registry, context)
        let server = try opened { () throws(ExecError) in
            try ExecServer(registry: registry, options: options)
        }
        let addresses = try opened { () throws(ExecError) in try server.start() }
        let published = publish(addresses, settings.stateDirectory, context)
        defer {
            withExtendedLifetime(published) {}
            try? Files.remove(StateAddresses.path(stateDirectory: settings.stateDirectory))
        }
        for address in addresses { context.console.note("listening on \(address)\n") }
        let manager = ServiceManager(environment: context.environment)
        return try await withSignals(signals) { (signals) throws(Failure) in
            context.console.note("ready\n")
            manager.tell("READY=1")
            await wait(for: signals, toEnd: server, manager)
            return 0
        }
    }

    /// Tells clients that find the state directory where its server is. They can do without.
    private static func publish(
        _ addresses: [String],
        _ state: String,
        _ context: Context,
    ) -> Descriptor? {
        do throws(Errno) {
            return try StateAddresses.publish(addresses, stateDirectory: state)
        } catch {
            let path = StateAddresses.path(stateDirectory: state)
            context.console.complain(
                "cannot write \(path): \(error); clients on TCP need --token-file"
            )
            return nil
        }
    }

    private static func adoptLeftovers(of registry: ExecSessionRegistry, _ context: Context) {
        let leftovers = registry.adoptLeftovers()
        if leftovers.adopted > 0 {
            context.console.note(
                "kept the logs of \(leftovers.adopted) execs of an earlier server\n"
            )
        }
        for leftover in leftovers.unreadable {
            let place =
                leftover.isSetAside ? "is in \(registry.unreadableDirectory) now" : "stays there"
            context.console.complain(
                "can't read \(leftover.path): \(leftover.reason); it \(place)"
            )
        }
    }

    /// Returns when the server is down: after the first signal politely, after a second at once.
    private static func wait(
        for signals: AsyncStream<Int32>,
        toEnd server: ExecServer,
        _ manager: ServiceManager,
    ) async {
        for await signal in signals {
            guard signal == SIGHUP else { break }
            server.reload()
        }
        manager.tell("STOPPING=1")
        // Cancelled, and waited for, when this returns.
        async let _ = hurry(server, on: signals)
        await server.shutDown()
    }

    private static func hurry(_ server: ExecServer, on signals: AsyncStream<Int32>) async {
        for await signal in signals where signal != SIGHUP { server.hurry() }
    }

    /// What it waits for. SIGHUP does not end it, so it is taken even where it was ignored.
    static let signals = Signals.heeded([SIGINT, SIGTERM]) + [SIGHUP]

    /// What commands inherit: the server's own environment, without what concerns it alone.
    private static func baseEnvironment(_ context: Context) -> [String: String] {
        context.environment.filter { name, _ in
            ![
                "NOTIFY_SOCKET", "EXECSTREAM_TOKEN", "EXECSTREAM_ADDRESS", "EXECSTREAM_EXEC_ID",
                "SWIFT_BACKTRACE",
            ].contains(name) && !name.hasPrefix("EXECSTREAM_TLS")
        }
    }

    private static func opened<Value: ~Copyable>(
        _ body: () throws(ExecError) -> Value,
    ) throws(Failure) -> Value {
        do throws(ExecError) {
            return try body()
        } catch {
            throw Failure(error.message)
        }
    }
}
