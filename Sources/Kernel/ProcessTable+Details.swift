internal import Glibc

/// What a process has moved from and to block devices.
package struct ProcessIO: Hashable, Sendable {
    package var readBytes: UInt64
    package var writtenBytes: UInt64

    package init(readBytes: UInt64 = 0, writtenBytes: UInt64 = 0) {
        self.readBytes = readBytes
        self.writtenBytes = writtenBytes
    }
}

// What takes more than a look at /proc/PID/stat. May be refused: nil or false.

extension ProcessTable {
    /// Whether "NAME=value" is in the environment that the process was started with. It may have been
    /// overwritten by the process since; and it is inherited, so children have it too.
    package static func environmentContains(pid: Int32, _ entry: String) -> Bool {
        guard let file = try? Files.open("/proc/\(pid)/environ", .readOnly) else { return false }
        return (try? file.containsString(Array(entry.utf8), bytesMax: environmentBytesMax)) ?? false
    }

    /// The number of a process's group; nil: there is no such process. Unlike a look at /proc/PID it never
    /// waits for what that process does.
    package static func group(of pid: Int32) -> Int32? {
        let group = getpgid(pid)
        return group < 0 ? nil : group
    }

    /// What a process has read and written; nil: it is not ours to know.
    package static func io(of pid: Int32) -> ProcessIO? {
        guard let bytes = try? Files.readSmall("/proc/\(pid)/io", max: 4096) else { return nil }
        return ProcessIO(text: String(decoding: bytes, as: UTF8.self))
    }

    /// What is looked through; an environment can be larger only with a larger stack limit.
    private static let environmentBytesMax = 2 << 20
}

extension ProcessIO {
    /// Reads the text of an `io` file.
    init?(text: String) {
        var numbers: [Substring: UInt64] = [:]
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
            if words.count == 2 { numbers[words[0]] = UInt64(words[1]) }
        }
        guard let read = numbers["read_bytes:"], let written = numbers["write_bytes:"] else {
            return nil
        }
        self.init(readBytes: read, writtenBytes: written)
    }
}

extension Descriptor {
    /// Whether `wanted` is one of the NUL-terminated strings in the file's first `bytesMax` bytes.
    func containsString(_ wanted: [UInt8], bytesMax: Int) throws(Errno) -> Bool {
        // Compared on the way, so that nothing has to be kept. `matched`: how much of the current
        // string agrees; nil: it is another one.
        var matched: Int? = 0
        var seen = 0
        var isFound = false
        try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) {
            buffer throws(Errno) in
            while !isFound, seen < bytesMax, let count = try read(into: buffer), count > 0 {
                seen += count
                for byte in buffer[..<count] {
                    if byte == 0 {
                        if matched == wanted.count { isFound = true }
                        matched = 0
                    } else if let length = matched {
                        let agrees = length < wanted.count && wanted[length] == byte
                        matched = agrees ? length + 1 : nil
                    }
                }
            }
        }
        return isFound
    }
}
