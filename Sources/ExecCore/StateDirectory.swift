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
    package let path: String

    /// Makes the directory (0700) where it is missing, and locks it.
    ///
    /// Throws FAILED_PRECONDITION where it can't be used, or where another server uses it.
    package init(_ path: String) throws(ExecError) {
        let lock = try Self.openLock(path)
        guard (try? Files.lockExclusively(lock)) == true else {
            throw ExecError(
                .failedPrecondition,
                "another server uses the state directory \(path); stop it, or choose another "
                    + "with --state",
            )
        }
        self.path = path
        self.lock = lock
    }

    private static func openLock(_ path: String) throws(ExecError) -> Descriptor {
        do throws(Errno) {
            try Files.makeDirectories("\(path)/execs", permissions: 0o700)
            return try Files.open("\(path)/lock", .readWriteCreate(permissions: 0o600))
        } catch {
            throw ExecError(
                .failedPrecondition,
                "the state directory \(path) can't be used: \(error)"
            )
        }
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
        let aside = "\(unreadableDirectory)/\(clocks.unixNS)"
        for container in leftovers.list(execsDirectory) {
            let directory = "\(execsDirectory)/\(container)"
            if container.hasPrefix(".") {
                try? Files.removeTree(directory)
                continue
            }
            for exec in leftovers.list(directory) {
                let log = "\(directory)/\(exec)"
                do {
                    if try adopt(ExecKey(container: container, exec: exec)) {
                        leftovers.adopted += 1
                    } else {
                        try? Files.removeTree(log)
                    }
                } catch {
                    leftovers.unreadable.append(
                        Leftovers.Unreadable(
                            path: log,
                            reason: "\(error)",
                            isSetAside: setAside(log, as: exec, in: "\(aside)/\(container)")
                        )
                    )
                }
            }
            Files.removeDirectoryIfEmpty(directory)
        }
        keep(stranded: leftovers.unreadable.filter { !$0.isSetAside }.map(\.path))
        return leftovers
    }

    /// False: there is nothing in its log.
    private func adopt(_ key: ExecKey) throws(Errno) -> Bool {
        let instance = make(key, command: nil, labels: [:])
        // First: nobody is to find an exec that nothing is known of, and wait for its exit.
        guard try instance.recoverLog() else { return false }
        enterBeyondBounds(instance)
        instance.report(.registered)
        instance.finish(
            Exit(
                code: 255,
                reason: .runtimeError,
                message: "the server that ran it ended, and its exit was not recorded",
                drained: false,
            )
        )
        return true
    }

    private func setAside(_ log: String, as name: String, in directory: String) -> Bool {
        do throws(Errno) {
            try Files.makeDirectories(directory, permissions: 0o700)
            try Files.rename(log, to: "\(directory)/\(name)")
            return true
        } catch {
            return false
        }
    }

    /// Where logs of an earlier server are that can't be read.
    package var unreadableDirectory: String { "\(configuration.stateDirectory)/unreadable" }
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

    /// What is in a directory, where that can be read.
    fileprivate mutating func list(_ directory: String) -> [String] {
        do throws(Errno) {
            return try Files.list(directory)
        } catch {
            unreadable.append(
                Unreadable(path: directory, reason: "\(error)", isSetAside: false)
            )
            return []
        }
    }
}
