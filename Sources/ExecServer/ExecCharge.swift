internal import ExecModel
internal import Synchronization

/// What one exec counts for its owner: kept with the exec, and given back with it. Any thread.
final class ExecCharge: Sendable {
    private let account: IdentityAccount
    private let bytes: Mutex<Int>

    init(_ account: IdentityAccount, bytes: Int) {
        self.account = account
        self.bytes = Mutex(bytes)
    }

    /// The exec keeps only so many bytes from here on: its environment is not kept after the start.
    func shrink(to kept: Int) {
        let freed = bytes.withLock { bytes in
            let freed = bytes - min(bytes, kept)
            bytes -= freed
            return freed
        }
        if freed > 0 { account.release(execBytes: freed) }
    }

    deinit { account.removeExec(bytes: bytes.withLock { $0 }) }
}

extension Command {
    /// What the server keeps of it until it runs.
    var bytesAtStart: Int { bytesKept + environment.bytesKept }

    /// What the server keeps of it as long as the exec is known.
    var bytesKept: Int { argv.reduce(0) { $0 + $1.utf8.count + stringBytes } + labels.bytesKept }
}

extension [String: String] {
    /// What the server keeps for it.
    var bytesKept: Int {
        reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 2 * stringBytes }
    }
}

/// A string's own size, and what its memory is rounded up by.
private let stringBytes = 32
