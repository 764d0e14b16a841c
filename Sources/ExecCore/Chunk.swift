internal import ExecModel
package import Kernel

/// A run of bytes from one stream, with its place in the order in which the exec wrote.
package struct Chunk: Sendable {
    /// Counts from 1 over both streams, without holes.
    package var sequence: UInt64
    /// Of the first byte, in its own stream.
    package var offset: UInt64
    package var unixNS: Int64
    package var stream: ExecStream
    /// The memory that holds the bytes.
    package var slab: Slab
    /// Where they begin there.
    package var start: Int
    package var count: Int

    package var end: UInt64 { offset + UInt64(count) }
}

/// How far the two streams of an exec have come, in bytes.
package struct StreamOffsets: Hashable, Sendable {
    package var stdout: UInt64 = 0
    package var stderr: UInt64 = 0

    package init(stdout: UInt64 = 0, stderr: UInt64 = 0) {
        self.stdout = stdout
        self.stderr = stderr
    }

    /// Of both.
    var total: UInt64 { stdout + stderr }

    package subscript(stream: ExecStream) -> UInt64 {
        get { stream == .stdout ? stdout : stderr }
        set {
            switch stream {
            case .stdout: stdout = newValue
            case .stderr: stderr = newValue
            }
        }
    }
}
