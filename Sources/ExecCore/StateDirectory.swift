internal import ExecModel
internal import Kernel

/// The directory that a server keeps its logs in: one server's at a time.
///
///     <state>/lock                              held while the server runs
///     <state>/execs/<container>/<exec>/         stdout, stderr, index
///     <state>/execs/.removed-<when>-<n>         forgotten, until its last viewer has gone
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
    /// an exit that says what is known. Returns how many.
    package func adoptLeftovers() -> Int {
        var count = 0
        for container in (try? Files.list(execsDirectory)) ?? [] {
            let directory = "\(execsDirectory)/\(container)"
            if container.hasPrefix(".") {
                try? Files.removeTree(directory)
                continue
            }
            for exec in (try? Files.list(directory)) ?? [] {
                if let key = try? ExecKey(container: container, exec: exec), adopt(key) {
                    count += 1
                } else {
                    try? Files.removeTree("\(directory)/\(exec)")
                }
            }
        }
        return count
    }

    private func adopt(_ key: ExecKey) -> Bool {
        guard case .made(let instance)? = try? enter(key, labels: [:]) else {
            return false
        }
        if instance.adoptLog() { return true }
        // Nobody is to find an exec that nothing is known of, and wait for its exit.
        try? unregister(key)
        return false
    }
}
