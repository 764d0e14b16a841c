internal import Kernel
internal import Synchronization

/// The program's stdout and stderr. Writes wait until everything is taken.
final class Console: Sendable {
    private let out: Output
    private let err: Output
    /// Whether the user's terminal is raw, and so does not go to the begin of a line by itself.
    let isRaw = Atomic(false)

    /// The program's own.
    init() {
        out = Output(try? Descriptor.standardOutput())
        err = Output(try? Descriptor.standardError())
    }

    /// Whether stdout is a terminal.
    var isTerminal: Bool { out.isTerminal }

    /// Writes to stdout. A reader that has gone ends the program with 125 and without a word, as the
    /// end of `execstream run … | head` is not a mistake of anybody's.
    func write(_ bytes: [UInt8]) throws(Failure) { try out.write(bytes, "stdout") }

    /// Writes to stderr, on an exec's behalf.
    func writeError(_ bytes: [UInt8]) throws(Failure) { try err.write(bytes, "stderr") }

    /// Writes text to stdout.
    func print(_ text: String) throws(Failure) { try write(Array(text.utf8)) }

    /// Writes one JSON value and the end of the line to stdout.
    func print(_ json: JSON) throws(Failure) { try print(json.text + "\n") }

    /// Says one line to people, about a failure or something else that is not output.
    func complain(_ message: String) {
        let lineEnd = isRaw.load(ordering: .relaxed) ? "\r\n" : "\n"
        note("execstream: \(message.printable(max: Self.messageMax))\(lineEnd)")
    }

    /// A message may be a server's, which can be megabytes long.
    private static let messageMax = 4096

    /// Writes text to stderr. Where nobody reads that, nobody can be told.
    func note(_ text: String) { try? err.write(Array(text.utf8), "stderr") }
}

/// One of the two.
private final class Output: Sendable {
    // Locked so that two lines of two tasks do not mix; the one that waits for a slow terminal makes
    // the other wait, as it should.
    private let descriptor: Mutex<Descriptor?>
    let isTerminal: Bool

    init(_ descriptor: consuming Descriptor?) {
        isTerminal = descriptor?.isTerminal ?? false
        self.descriptor = Mutex(descriptor)
    }

    func write(_ bytes: [UInt8], _ name: String) throws(Failure) {
        do throws(Errno) {
            try descriptor.withLock { descriptor throws(Errno) in
                // There was no number left for it.
                if descriptor == nil { throw .badDescriptor }
                var rest = bytes.span.bytes
                while !rest.isEmpty {
                    let count = try rest.withUnsafeBytes { bytes throws(Errno) in
                        try descriptor?.write(bytes)
                    }
                    if let count {
                        rest = rest.extracting(droppingFirst: count)
                    } else {
                        // Somebody who shares it made it non-blocking.
                        try descriptor?.setNonBlocking(false)
                    }
                }
            }
        } catch .brokenPipe {
            throw Failure("")
        } catch {
            throw Failure("can't write to \(name): \(error)")
        }
    }
}
