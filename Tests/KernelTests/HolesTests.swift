import Testing

@testable import Kernel

@Suite struct HolesTests {
    @Test func `a hole takes no disk, reads as zeros, and leaves the size`() throws {
        let directory = try TemporaryDirectory()
        let file = try Files.open(
            "\(directory.path)/f",
            .readWriteCreate(permissions: 0o600)
        )
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        try file.pwrite(bytes.span.bytes, at: 0)
        #expect(try file.diskBytes >= 1 << 20)
        try file.punchHole(at: 0, count: 1_000_001)
        #expect(try file.size == 1 << 20)
        #expect(try file.diskBytes <= 64 << 10)
        var read = [UInt8](repeating: 1, count: 2)
        let count = try read.withUnsafeMutableBytes { try file.pread(into: $0, at: 1_000_000) }
        #expect(count == 2)
        #expect(read == [0, 7])
        // Behind the end, and of nothing: no error, and no change.
        try file.punchHole(at: 5 << 20, count: 4_096)
        try file.punchHole(at: 0, count: 0)
        #expect(try file.size == 1 << 20)
    }
}
