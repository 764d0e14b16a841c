internal import ExecModel
internal import Kernel

/// Tells whether two commands are the same without keeping either: a command's environment may have
/// megabytes, and secrets. A SHA-256 over all of its fields, in one fixed form.
struct CommandDigest: Hashable, Sendable {
    private let bytes: [UInt8]

    init(_ command: Command) {
        var form = CanonicalForm()
        form.add(command.argv)
        form.add(command.environment)
        form.add(command.clearEnvironment)
        form.add(command.workingDirectory)
        form.add(command.terminal != nil)
        form.add(UInt64(command.terminal?.size.rows ?? 0))
        form.add(UInt64(command.terminal?.size.columns ?? 0))
        form.add(command.terminal?.term ?? "")
        form.add(command.stdin)
        form.add(command.timeoutMS)
        form.add(command.graceMS)
        form.add(UInt64(bitPattern: Int64(command.stopSignal)))
        form.add(command.drainMS)
        form.add(command.user)
        form.add(command.limits.logBytesMax)
        form.add(command.limits.memoryBytesMax)
        form.add(UInt64(command.limits.pidsMax))
        form.add(command.limits.cpuMillis)
        form.add(command.limits.openFilesMax)
        form.add(command.labels)
        bytes = form.digest()
    }
}

/// What an instance keeps of the command that this server runs for it.
struct CommandRecord: Sendable {
    let digest: CommandDigest
    let hasTerminal: Bool
    let hasLogLimit: Bool

    init(_ command: Command) {
        digest = CommandDigest(command)
        hasTerminal = command.terminal != nil
        hasLogLimit = command.limits.logBytesMax > 0
    }
}

/// Values one after the other, each with its length, so that no two sequences of values read the same.
private struct CanonicalForm: ~Copyable {
    private var hash = SHA256()
    /// Small values are taken in together.
    private var pending: [UInt8] = []

    private static let pendingBytesMax = 64 << 10

    mutating func add(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { pending.append(contentsOf: $0) }
    }

    mutating func add(_ value: Bool) { add(value ? 1 : 0) }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        pending.append(contentsOf: text.utf8)
        if pending.count >= Self.pendingBytesMax { takeIn() }
    }

    mutating func add(_ texts: [String]) {
        add(UInt64(texts.count))
        for text in texts { add(text) }
    }

    mutating func add(_ pairs: [String: String]) {
        add(UInt64(pairs.count))
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
            add(key)
            add(value)
        }
    }

    private mutating func takeIn() {
        var taken: [UInt8] = []
        swap(&taken, &pending)
        hash.update(taken.span.bytes)
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &pending)
    }

    consuming func digest() -> [UInt8] {
        takeIn()
        return hash.finish()
    }
}
