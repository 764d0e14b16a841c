internal import ExecModel
internal import Kernel

/// The directory that a server keeps its logs in: one server's at a time.
///
///     <state>/lock                              held while the server runs
///     <state>/execs/<container>/<exec>/         stdout, stderr, index
///     <state>/execs/.removed-<when>-<n>         forgotten, until its last viewer has gone
///     <state>/unreadable/<when>/<container>/<exec>/    what could not be taken over: somebody's to look at
package struct StateDirectory: ~Copyable {
    private let lock: Descriptor
    let directory: Directory
    let execs: Directory
    package var path: String { directory.path }

    /// Makes the directory (0700) where it is missing, and locks it. It must be this user's own, and nobody
    /// else may be able to write in it or to put another in its place.
    ///
    /// The lock tells that a server lives, but not that none does: what a killed server has left running
    /// may have waited for it. Then `endLeftovers` is called, and the lock tried for again.
    ///
    /// Throws FAILED_PRECONDITION where it can't be used, or where another server uses it.
    package init(
        _ path: String,
        endLeftovers: () -> Void = {},
    ) throws(ExecError) {
        let directory = try Self.directory(path)
        let execs = try Self.usable("\(path)/\(LogStore.execsName)") { () throws(Errno) in
            try directory.makeDirectory(LogStore.execsName, permissions: 0o700)
        }
        let lock = try Self.usable("\(path)/lock") { () throws(Errno) in
            try directory.open("lock", .readWriteCreate(permissions: 0o600))
        }
        if (try? Files.lockExclusively(lock)) != true {
            guard Self.mark(in: lock)?.hasEnded == true else {
                throw ExecError(
                    .failedPrecondition,
                    "another server uses the state directory \(path); stop it, or choose another "
                        + "with --state",
                )
            }
            endLeftovers()
            guard (try? Files.lockExclusively(lock, atMost: Self.lockTime)) == true else {
                throw Self.unusable(
                    path,
                    "its server has ended, but something that it had started holds \(path)/lock; "
                        + "end that (/proc/locks has its pid)"
                )
            }
        }
        Self.write(.own(), to: lock)
        self.directory = directory
        self.execs = execs
        self.lock = lock
    }

    /// How long what was killed may take to let go of the lock.
    private static let lockTime = Duration.seconds(2)
    private static let markBytesMax = 128

    /// Which server has had the lock last; nil: it is not known.
    private static func mark(in lock: borrowing Descriptor) -> ServerMark? {
        let slab = Slab(capacity: markBytesMax)
        guard let count = try? slab.append(readingFrom: lock, max: markBytesMax) else { return nil }
        let text = slab.withBytes(at: 0, count: count) { bytes in
            bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        return ServerMark(text.prefix { $0 != "\n" })
    }

    private static func write(_ mark: ServerMark, to lock: borrowing Descriptor) {
        // Without it the next server is told of another one, which is no harm.
        try? lock.truncate(to: 0)
        try? lock.pwrite(Array("\(mark.text)\n".utf8).span.bytes, at: 0)
    }

    private static func directory(_ path: String) throws(ExecError) -> Directory {
        do throws(PrivateFileError) {
            return try Directory.openPrivate(path, making: 0o700)
        } catch {
            throw unusable(path, error.description)
        }
    }

    private static func usable<Value: ~Copyable>(
        _ path: String,
        _ body: () throws(Errno) -> Value,
    ) throws(ExecError) -> Value {
        do throws(Errno) {
            return try body()
        } catch {
            throw unusable(path, text(of: error))
        }
    }

    private static func unusable(_ path: String, _ why: String) -> ExecError {
        ExecError(.failedPrecondition, "the state directory \(path) can't be used: \(why)")
    }

    private static func text(of error: Errno) -> String {
        let isForeign = [Errno.notPermitted, .notDirectory, Errno.linkLoop].contains(error)
        guard isForeign else { return "\(error)" }
        return "it is not this user's alone, or a link (\(error)); look who has put it there, and "
            + "move it away"
    }
}

extension ExecSessionRegistry {
    /// Makes an empty registry that keeps its logs in a state directory that is open and locked.
    package convenience init(
        configuration: RegistryConfiguration,
        in state: borrowing StateDirectory,
    ) {
        self.init(
            configuration: configuration,
            clocks: SystemClocks(),
            store: LogStore(state.directory, execs: state.execs)
        )
    }
}

extension ExecSessionRegistry {
    /// Takes over what an earlier server left in the state directory when it ended without telling
    /// its execs' exits: their logs are completed and can be viewed for the retention's time, with
    /// an exit that says what is known. One that can't be read now is not lost: it is set aside, or, where
    /// that can't be, kept in its place: no exec of that name is started then.
    ///
    /// Before any exec is registered. The bounds on execs don't hold for those that are there already.
    package func adoptLeftovers() -> Leftovers {
        var leftovers = Leftovers()
        let aside = "\(clocks.unixNS)"
        guard let execs = leftovers.open(execsDirectory, { () throws(Errno) in try store.execs })
        else { return leftovers }
        for container in leftovers.list(execs) {
            if container.hasPrefix(".") {
                try? execs.removeTree(container)
                continue
            }
            guard
                let directory = leftovers.open(
                    "\(execsDirectory)/\(container)",
                    { () throws(Errno) in try execs.directory(container) }
                )
            else { continue }
            for exec in leftovers.list(directory) {
                do {
                    if try adopt(ExecKey(container: container, exec: exec)) {
                        leftovers.adopted += 1
                    } else {
                        try? directory.removeTree(exec)
                    }
                } catch {
                    leftovers.unreadable.append(
                        Leftovers.Unreadable(
                            path: "\(execsDirectory)/\(container)/\(exec)",
                            reason: "\(error)",
                            isSetAside: setAside(exec, of: directory, in: aside, container)
                        )
                    )
                }
            }
            execs.removeDirectoryIfEmpty(container)
        }
        keep(stranded: leftovers.unreadable.filter { !$0.isSetAside }.map(\.path))
        return leftovers
    }

    /// False: there is nothing in its log.
    private func adopt(_ key: ExecKey) throws(Errno) -> Bool {
        let instance = make(key, command: nil, labels: [:])
        // First: nobody is to find an exec that nothing is known of, and wait for its exit.
        guard let outcome = try instance.recoverLog() else { return false }
        enterBeyondBounds(instance)
        instance.report(.registered)
        var exit = Exit(
            code: 255,
            reason: .runtimeError,
            message: "the server that ran it ended, and its exit was not recorded",
            drained: false,
        )
        if outcome.damagedRecords > 0 {
            exit.addMessage("\(outcome.damagedRecords) chunks of its log can't be read")
        }
        instance.finish(exit)
        return true
    }

    private func setAside(
        _ name: String,
        of directory: Directory,
        in aside: String,
        _ container: String,
    ) -> Bool {
        do throws(Errno) {
            let target = try store.state.makeDirectory(Self.unreadableName, permissions: 0o700)
                .makeDirectory(aside, permissions: 0o700)
                .makeDirectory(container, permissions: 0o700)
            try directory.rename(name, to: target, as: name)
            return true
        } catch {
            return false
        }
    }

    private static let unreadableName = "unreadable"

    /// Where logs of an earlier server are that can't be read.
    package var unreadableDirectory: String {
        "\(configuration.stateDirectory)/\(Self.unreadableName)"
    }
}

/// What an earlier server had left.
package struct Leftovers {
    /// How many logs can be viewed.
    package var adopted = 0
    /// What could not be read.
    package var unreadable: [Unreadable] = []

    package struct Unreadable {
        /// Where it was found.
        package let path: String
        package let reason: String
        /// Whether it is in the directory for that now; else it is where it was, for the next server.
        package let isSetAside: Bool
    }

    /// A directory, where it can be opened.
    fileprivate mutating func open(
        _ path: String,
        _ body: () throws(Errno) -> Directory,
    ) -> Directory? {
        do throws(Errno) {
            return try body()
        } catch {
            unreadable.append(Unreadable(path: path, reason: "\(error)", isSetAside: false))
            return nil
        }
    }

    /// What is in a directory, where that can be read.
    fileprivate mutating func list(_ directory: Directory) -> [String] {
        do throws(Errno) {
            return try directory.list()
        } catch {
            unreadable.append(
                Unreadable(path: directory.path, reason: "\(error)", isSetAside: false)
            )
            return []
        }
    }
}
