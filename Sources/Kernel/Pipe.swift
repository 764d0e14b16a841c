internal import CLinux
internal import Glibc

/// Makes pipes.
package enum Pipe {
    /// A new pipe; both ends are close-on-exec. An end that a child gets should be left blocking.
    package static func make(
        nonBlockingRead: Bool = false,
        nonBlockingWrite: Bool = false,
    ) throws(Errno) -> PipeEnds {
        var numbers: (Int32, Int32) = (-1, -1)
        try SystemCall.value {
            withUnsafeMutableBytes(of: &numbers) {
                el_pipe($0.assumingMemoryBound(to: Int32.self).baseAddress)
            }
        }
        let ends = PipeEnds(
            readEnd: Descriptor(owning: numbers.0),
            writeEnd: Descriptor(owning: numbers.1),
        )
        if nonBlockingRead { try SystemCall.value { el_set_nonblocking(numbers.0, true) } }
        if nonBlockingWrite { try SystemCall.value { el_set_nonblocking(numbers.1, true) } }
        return ends
    }
}

/// Both ends of a pipe. An end that isn't taken closes with this.
package struct PipeEnds: ~Copyable, Sendable {
    private var readEnd: Descriptor?
    private var writeEnd: Descriptor?

    init(readEnd: consuming Descriptor, writeEnd: consuming Descriptor) {
        self.readEnd = consume readEnd
        self.writeEnd = consume writeEnd
    }

    /// Hands over the end to read from; once.
    package mutating func takeReadEnd() -> Descriptor {
        guard let end = readEnd.take() else { preconditionFailure("the read end was taken") }
        return end
    }

    /// Hands over the end to write to; once.
    package mutating func takeWriteEnd() -> Descriptor {
        guard let end = writeEnd.take() else { preconditionFailure("the write end was taken") }
        return end
    }
}

extension Descriptor {
    /// How much can be read from a pipe or a terminal now.
    package var bytesWaiting: Int {
        get throws(Errno) { Int(try SystemCall.value { el_bytes_waiting(number) }) }
    }
}
