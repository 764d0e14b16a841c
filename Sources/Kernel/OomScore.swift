/// How likely the kernel is to kill a process when memory runs out: /proc/PID/oom_score_adj.
package enum OomScore {
    /// This process's own; 0: as any other's.
    package static var own: Int {
        let bytes = (try? Files.readSmall("/proc/self/oom_score_adj", max: 64)) ?? []
        let text = String(decoding: bytes, as: UTF8.self)
        return Int(text.prefix { !$0.isNewline }) ?? 0
    }

    /// Gives a child the usual one, where we may. Only once it runs its program: before that it shares our
    /// memory, and the kernel would change ours too. Its pid must still be its own.
    package static func reset(_ pid: Int32) {
        guard let file = try? Files.open("/proc/\(pid)/oom_score_adj", .readWrite) else { return }
        Array("0".utf8).withUnsafeBytes { _ = try? file.write($0) }
    }
}
