internal import Glibc

/// Which process is a server: its pid, when it started, and the process namespace in which both are
/// meant. Together they are one process and no other, and nobody can hold them on after its end, as a
/// lock could be.
package struct ServerMark: Hashable, Sendable {
    let pid: Int32
    let startTicks: UInt64
    /// The inode of the namespace.
    let namespace: UInt64

    /// As part of a name, or of a file: "<pid>.<start>.<namespace>".
    package var text: String { "\(pid).\(startTicks).\(namespace)" }

    /// Nil: the text is not one.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let pid = Int32(parts[0]), pid > 0,
            let start = UInt64(parts[1]), let namespace = UInt64(parts[2])
        else { return nil }
        self.init(pid: pid, startTicks: start, namespace: namespace)
    }

    init(pid: Int32, startTicks: UInt64, namespace: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
        self.namespace = namespace
    }

    /// This process's; 0 stands for what /proc does not tell.
    package static func own() -> ServerMark {
        ServerMark(
            pid: getpid(),
            startTicks: ProcessRecord.read(getpid())?.startTicks ?? 0,
            namespace: ownNamespace,
        )
    }

    /// Whether the process has ended; nil: it can't be told from here.
    package var hasEnded: Bool? {
        guard namespace != 0, namespace == ServerMark.ownNamespace else { return nil }
        if kill(pid, 0) < 0, errno == ESRCH { return true }
        // Where /proc hides it, it is another user's: it may well be the one.
        guard let record = ProcessRecord.read(pid) else { return false }
        if startTicks != 0, record.startTicks != startTicks { return true }
        // The first thread may have ended before the others.
        return record.hasEnded && record.threads <= 1
    }

    private static var ownNamespace: UInt64 {
        var status = stat()
        return stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : 0
    }
}
