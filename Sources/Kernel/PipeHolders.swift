internal import CLinux
internal import Glibc

/// Finds who still holds an exec's output open.
package enum PipeHolders {
    /// The processes, other than this one, that have a side of one of these pipes open (or, for a
    /// terminal's master, its inner side). At most `limit`, by rising pid. Best effort: what we may
    /// not look into is not found, and descriptors may open and close meanwhile.
    package static func find(
        stdout: borrowing Descriptor?,
        stderr: borrowing Descriptor?,
        limit: Int = 16,
    ) -> [Int32] {
        var names: Set<String> = []
        switch stdout {
        case .some(let pipe): name(of: pipe).map { _ = names.insert($0) }
        case .none: break
        }
        switch stderr {
        case .some(let pipe): name(of: pipe).map { _ = names.insert($0) }
        case .none: break
        }
        if names.isEmpty { return [] }
        let own = getpid()
        let processes = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.sorted()
        var holders: [Int32] = []
        for pid in processes where pid != own {
            if holders.count == limit { break }
            if holds(pid, names) { holders.append(pid) }
        }
        return holders
    }

    /// What /proc/PID/fd/N links to for a holder.
    private static func name(of descriptor: borrowing Descriptor) -> String? {
        let terminal = el_terminal_number(descriptor.number)
        if terminal >= 0 { return "/dev/pts/\(terminal)" }
        guard let status = try? descriptor.status() else { return nil }
        return status.st_mode & S_IFMT == S_IFIFO ? "pipe:[\(status.st_ino)]" : nil
    }

    private static func holds(_ pid: Int32, _ names: Set<String>) -> Bool {
        let directory = "/proc/\(pid)/fd"
        guard let descriptors = try? Files.list(directory) else { return false }
        var link = [CChar](repeating: 0, count: 64)
        return descriptors.contains { descriptor in
            let count = readlink("\(directory)/\(descriptor)", &link, link.count)
            if count <= 0 { return false }
            let target = link[..<count].map { UInt8(bitPattern: $0) }
            return names.contains(String(decoding: target, as: UTF8.self))
        }
    }
}
