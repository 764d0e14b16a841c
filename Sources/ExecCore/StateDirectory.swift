internal import ExecModel
internal import Kernel

/// The directory that a server keeps its logs in: one server's at a time.
///
///     <state>/lock                              held while the server runs
///     <state>/execs/<container>/<exec>/         stdout, stderr, index
///     <state>/execs/.removed-<when>-<n>         forgotten, until its last viewer has gone
///     <state>/unreadable/<container>.<exec>.<when>    what could not be taken over: somebody's to look at
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
    /// an exit that says what is known. One that can't be read now is not lost: it is set aside.
    package func adoptLeftovers() -> Leftovers {
        var leftovers = Leftovers()
        for container in (try? Files.list(execsDirectory)) ?? [] {
            let directory = "\(execsDirectory)/\(container)"
            if container.hasPrefix(".") {
                try? Files.removeTree(directory)
                continue
            }
            for exec in (try? Files.list(directory)) ?? [] {
                let log = "\(directory)/\(exec)"
                do throws(Errno) {
                    let key = try? ExecKey(container: container, exec: exec)
                    if let key, try adopt(key, log) {
                        leftovers.adopted += 1
                    } else {
                        try? Files.removeTree(log)
                    }
                } catch {
                    leftovers.unreadable.append((log, error.description))
                }
            }
        }
        return leftovers
    }

    private func adopt(_ key: ExecKey, _ log: String) throws(Errno) -> Bool {
        guard case .made(let instance)? = try? enter(key, labels: [:]) else { return false }
        // Nobody is to find an exec that nothing is known of, and wait for its exit.
        defer { if instance.exit == nil { try? unregister(key) } }
        do throws(Errno) {
            return try instance.adoptLog()
        } catch {
            // Before it is forgotten, which would delete it.
            let name = "\(key.containerID).\(key.execID).\(clocks.unixNS)"
            try? Files.makeDirectories(unreadableDirectory, permissions: 0o700)
            try? Files.rename(log, to: "\(unreadableDirectory)/\(name)")
            throw error
        }
    }

    /// Where logs of an earlier server are that can't be read.
    package var unreadableDirectory: String { "\(configuration.stateDirectory)/unreadable" }
}

/// What an earlier server had left.
package struct Leftovers {
    /// How many logs can be viewed.
    package var adopted = 0
    /// Those that could not be read, and why.
    package var unreadable: [(log: String, reason: String)] = []
}
