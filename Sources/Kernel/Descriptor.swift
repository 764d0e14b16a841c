internal import CLinux
internal import Glibc

/// One open file of the kernel's, owned: it closes exactly once, at the latest when it goes away.
///
/// The number never leaves this floor. A would-block is nil, not an error; the end of what can be
/// read is 0. Misuse (a number that isn't open) traps: by then it may be somebody else's.
package struct Descriptor: ~Copyable, Sendable {
    let number: Int32

    /// Takes ownership of an open descriptor's number.
    init(owning number: Int32) {
        precondition(number >= 0, "no descriptor has the number \(number)")
        self.number = number
    }

    deinit {
        // Linux has let go of the number whatever close answers, EINTR included: never try again.
        let answer = Glibc.close(number)
        precondition(answer == 0 || errno != EBADF, "descriptor \(number) was closed twice")
    }

    /// Closes now rather than when the owner goes away.
    package consuming func close() {}
}

// MARK: Streams

extension Descriptor {
    /// Reads what is there. Nil: nothing yet; 0: the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        try SystemCall.unlessBlocked { posix(Glibc.read(number, buffer.baseAddress, buffer.count)) }
    }

    /// Reads what a small file has from here on, or EFBIG where that is more than `max` bytes.
    package func readAll(max: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        // Read rather than asked for its size: files under /proc claim to be empty.
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
            buffer throws(Errno) in
            while true {
                guard let count = try read(into: buffer) else { throw .wouldBlock }
                if count == 0 { return }
                if bytes.count + count > max { throw .tooLarge }
                bytes.append(contentsOf: buffer[..<count])
            }
        }
        return bytes
    }

    /// Writes as much as fits now. Nil: nothing does. A broken pipe is EPIPE and never a signal.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int? {
        try SystemCall.unlessBlocked { el_write(number, bytes.baseAddress, bytes.count) }
    }

    /// As `write`, to a socket, from several places, in order; at most 1,024 of them are taken. Never
    /// waits, whatever the descriptor's mode.
    func send(_ parts: UnsafeBufferPointer<iovec>) throws(Errno) -> Int? {
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: parts.baseAddress)
        message.msg_iovlen = min(parts.count, Descriptor.partsMax)
        let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
        return try SystemCall.unlessBlocked { posix(sendmsg(number, &message, flags)) }
    }

    /// The most parts that one `send` takes (IOV_MAX).
    package static let partsMax = 1024

    /// Blocks the thread until there is something to read, at most so long; false: there isn't.
    func waitUntilReadable(atMost timeout: Duration) -> Bool {
        let deadline = SystemClocks().now + timeout
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        while true {
            let left = max(0, (deadline - SystemClocks().now).wholeNanoseconds)
            let answer = poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000))
            if answer > 0 { return true }
            precondition(answer == 0 || errno == EINTR, "waiting to read: \(Errno(errno))")
            if left == 0 { return false }
        }
    }

    /// Whether reads and writes answer nil instead of waiting. Shared with every copy of this
    /// descriptor, in other processes too.
    package func setNonBlocking(_ on: Bool) throws(Errno) {
        try SystemCall.value { el_set_nonblocking(number, on) }
    }

    /// Another descriptor for the same open file.
    package func duplicate() throws(Errno) -> Descriptor {
        Descriptor(owning: try SystemCall.value { el_duplicate(number, 0) })
    }

    /// Whether it is a terminal.
    package var isTerminal: Bool { isatty(number) == 1 }
}

// MARK: Files

extension Descriptor {
    /// Reads from `offset` until `buffer` is full or the file ends; answers how much that was.
    package func pread(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64,
    ) throws(Errno) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let position = off_t(offset) + filled
            let count = try SystemCall.value {
                posix(Glibc.pread(number, rest.baseAddress, rest.count, position))
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Writes all of `bytes` at `offset`. When it throws, some may have been written.
    package func pwrite(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let position = off_t(offset) + written
            let count = try SystemCall.value {
                posix(Glibc.pwrite(number, rest.baseAddress, rest.count, position))
            }
            // A file takes something or says why not; without this, one that doesn't would spin.
            if count == 0 { throw .inputOutput }
            written += count
        }
    }

    /// Moves at most `count` bytes from this pipe into `file` at `offset`, in one system call.
    /// Nil: the pipe is empty; 0: it has ended. EINVAL: these two cannot be spliced (a terminal,
    /// an appending file, some file systems); nothing was moved.
    package func splice(
        to file: borrowing Descriptor,
        at offset: UInt64,
        count: Int,
    ) throws(Errno) -> Int? {
        let target = file.number
        return try SystemCall.unlessBlocked { el_splice_to_file(number, target, offset, count) }
    }

    /// Lets this pipe hold `bytes` before its writer waits. False: it stays as it is, for it is no pipe or
    /// its user may have no more.
    @discardableResult
    package func widenPipe(to bytes: Int) -> Bool {
        el_set_pipe_capacity(number, Int32(clamping: bytes)) >= 0
    }

    /// The file's size in bytes.
    package var size: UInt64 {
        get throws(Errno) { UInt64(try status().st_size) }
    }

    /// Cuts or extends the file to `size` bytes.
    package func truncate(to size: UInt64) throws(Errno) {
        try SystemCall.value { posix(ftruncate(number, off_t(size))) }
    }

    /// What the kernel knows of the file.
    func status() throws(Errno) -> stat {
        var status = stat()
        try SystemCall.value { posix(fstat(number, &status)) }
        return status
    }
}

// MARK: The program's own

extension Descriptor {
    /// A copy of the program's stdin: closing it leaves the program's open.
    package static func standardInput() throws(Errno) -> Descriptor { try copy(of: 0) }
    /// A copy of the program's stdout.
    package static func standardOutput() throws(Errno) -> Descriptor { try copy(of: 1) }
    /// A copy of the program's stderr.
    package static func standardError() throws(Errno) -> Descriptor { try copy(of: 2) }

    private static func copy(of number: Int32) throws(Errno) -> Descriptor {
        // The program may have been started without it: an error, not our bug.
        let copy = el_duplicate(number, 3)
        if copy < 0 { throw Errno(-copy) }
        return Descriptor(owning: copy)
    }
}
