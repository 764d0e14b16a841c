internal import Glibc
internal import Testing

@testable internal import Kernel

@Suite(.timeLimit(.minutes(1))) struct DescriptorTests {
    @Test func `closes when its owner goes away`() throws {
        var ends = try Pipe.make()
        let reader = ends.takeReadEnd()
        do {
            let writer = ends.takeWriteEnd()
            try writer.write("last words")
        }
        #expect(try reader.readToEnd() == "last words")
    }

    @Test func `closes exactly once`() async {
        await #expect(processExitsWith: .success) {
            var ends = try Pipe.make()
            let writer = ends.takeWriteEnd()
            let number = writer.number
            writer.close()
            // The number is free: the next descriptor gets it, and must keep it.
            let next = try Descriptor(owning: #require(dup(0) == number ? number : nil))
            try next.setNonBlocking(false)
        }
    }

    @Test func `traps when its number was closed behind its back`() async {
        await #expect(processExitsWith: .failure) {
            var ends = try Pipe.make()
            let writer = ends.takeWriteEnd()
            Glibc.close(writer.number)
            writer.close()
        }
        await #expect(processExitsWith: .failure) {
            var ends = try Pipe.make()
            let writer = ends.takeWriteEnd()
            Glibc.close(writer.number)
            try writer.write("to whom?")
        }
    }

    @Test func `traps when an end is taken twice`() async {
        await #expect(processExitsWith: .failure) {
            var ends = try Pipe.make()
            _ = ends.takeReadEnd()
            _ = ends.takeReadEnd()
        }
    }

    @Test func `lives in a class until it is taken`() throws {
        final class Owner {
            var descriptor: Descriptor?
            init(_ descriptor: consuming Descriptor) { self.descriptor = consume descriptor }
        }
        var ends = try Pipe.make()
        let owner = Owner(ends.takeWriteEnd())
        let reader = ends.takeReadEnd()
        try owner.descriptor?.write("a")
        owner.descriptor.take()?.close()
        #expect(try reader.readToEnd() == "a")
    }

    @Test func `answers nil while a pipe is empty or full, and nothing at its end`() throws {
        var ends = try Pipe.make(nonBlockingRead: true, nonBlockingWrite: true)
        let reader = ends.takeReadEnd()
        let writer = ends.takeWriteEnd()
        #expect(try reader.readText() == nil)
        let block = [UInt8](repeating: 7, count: 65_536)
        var written = 0
        while let count = try block.withUnsafeBytes({ try writer.write($0) }) { written += count }
        #expect(written == 65_536)
        #expect(try reader.readText(max: 100)?.utf8.count == 100)
        writer.close()
        try reader.setNonBlocking(false)
        #expect(try reader.readToEnd().utf8.count == written - 100)
    }

    @Test func `sends several parts in order`() throws {
        var pair = try Sockets.pair()
        let near = pair.takeFirst()
        let far = pair.takeSecond()
        #expect(try withParts(["one ", "two ", "three"]) { try near.send($0) } == 13)
        #expect(try far.readText() == "one two three")
        try near.setNonBlocking(false)
        let block = String(repeating: "x", count: 65_536)
        while try withParts([block], { try near.send($0) }) != nil {}
        #expect(try far.readText(max: 3) == "xxx")
    }

    @Test func `makes a broken pipe an error and never a signal`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            var ends = try Pipe.make()
            let writer = ends.takeWriteEnd()
            ends.takeReadEnd().close()
            #expect(throws: Errno.brokenPipe) { try writer.write("x") }
            var pair = try Sockets.pair()
            let near = pair.takeFirst()
            pair.takeSecond().close()
            #expect(throws: Errno.brokenPipe) { try withParts(["x"]) { try near.send($0) } }
            // The thread is as it was: the signal is neither blocked nor waiting.
            var (mask, pending) = (sigset_t(), sigset_t())
            pthread_sigmask(SIG_SETMASK, nil, &mask)
            sigpending(&pending)
            #expect(sigismember(&mask, SIGPIPE) == 0)
            #expect(sigismember(&pending, SIGPIPE) == 0)
            if sigismember(&mask, SIGPIPE) != 0 || sigismember(&pending, SIGPIPE) != 0 { abort() }
        }
    }

    @Test func `reads and writes files at any place`() throws {
        let directory = try TemporaryDirectory()
        let file = try Files.open("\(directory.path)/f", .readWriteCreate(permissions: 0o600))
        try Array("world".utf8).withUnsafeBytes { try file.pwrite($0, at: 6) }
        try Array("hello".utf8).withUnsafeBytes { try file.pwrite($0, at: 0) }
        #expect(try file.size == 11)
        #expect(try file.text(at: 0) == "hello\0world")
        #expect(try file.text(at: 6, max: 3) == "wor")
        #expect(try file.text(at: 11) == "")
        try file.truncate(to: 5)
        #expect(try file.text(at: 0) == "hello")
        let copy = try file.duplicate()
        file.close()
        #expect(try copy.size == 5)
    }

    @Test func `splices a pipe into a file, and reads the same bytes back`() throws {
        let directory = try TemporaryDirectory()
        let file = try Files.open("\(directory.path)/f", .readWriteCreate(permissions: 0o600))
        var ends = try Pipe.make()
        let reader = ends.takeReadEnd()
        let writer = ends.takeWriteEnd()
        // The pipe is a blocking one: splicing must not wait even so.
        #expect(try reader.splice(to: file, at: 0, count: 65_536) == nil)
        try writer.write("first")
        #expect(try reader.splice(to: file, at: 0, count: 65_536) == 5)
        try writer.write("second")
        #expect(try reader.splice(to: file, at: 5, count: 3) == 3)
        #expect(try reader.splice(to: file, at: 8, count: 65_536) == 3)
        #expect(try file.text(at: 0) == "firstsecond")
    }

    @Test func `says when two descriptors cannot be spliced, and moves nothing`() throws {
        let directory = try TemporaryDirectory()
        let file = try Files.open("\(directory.path)/f", .append(permissions: 0o600))
        var ends = try Pipe.make()
        let reader = ends.takeReadEnd()
        let writer = ends.takeWriteEnd()
        try writer.write("kept")
        #expect(throws: Errno.invalid) { try reader.splice(to: file, at: 0, count: 10) }
        #expect(try reader.readText() == "kept")
    }

    @Test func `copies the program's own without taking them`() throws {
        let copy = try Descriptor.standardError()
        #expect(copy.number > 2)
        copy.close()
        try Descriptor.standardError().close()
        #expect(fcntl(2, F_GETFD) == 0)
    }
}

/// Lends the strings as parts.
func withParts<Result>(
    _ strings: [String],
    _ body: (UnsafeBufferPointer<iovec>) throws -> Result,
) rethrows -> Result {
    let bytes = strings.map { Array($0.utf8) }
    let parts = bytes.map { part in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 1)
        copy.copyBytes(from: part)
        return iovec(iov_base: copy.baseAddress, iov_len: part.count)
    }
    defer { for part in parts { part.iov_base?.deallocate() } }
    return try parts.withUnsafeBufferPointer { try body($0) }
}
