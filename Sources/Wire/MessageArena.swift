internal import CExecProto
internal import CProtobufC
internal import Glibc

/// Memory for the C side of one message: everything in it goes at once.
///
/// The first 4 KiB are there from the start; whatever does not fit goes to overflow blocks, which
/// grow from 16 KiB to 1 MiB. An arena gives out nothing past its bound, and since nothing is
/// given back before the end, the bound is also one on the work that a hostile message can cause.
struct MessageArena: ~Copyable {
    private var cursor: UnsafeMutableRawPointer
    private var available: Int
    /// The newest overflow block; each begins with the address of the one before it.
    private var newestBlock: UnsafeMutableRawPointer?
    private var nextBlockBytes = 16 * 1024
    private let overflowBytesMax: Int
    private(set) var overflowBytes = 0
    private(set) var overflowBlocks = 0

    /// What one message from a peer may take, in memory, to be decoded.
    static let decodeBytesMax = 64 * 1024 * 1024

    /// Lends an arena that can give out about `bytesMax` bytes.
    static func with<Result, Failure: Error>(
        bytesMax: Int = .max,
        _ body: (inout MessageArena) throws(Failure) -> Result,
    ) throws(Failure) -> Result {
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: alignment) {
            first throws(Failure) in
            guard let start = first.baseAddress else { fatalError("no memory for an arena") }
            var arena = MessageArena(start, first.count, overflowBytesMax: bytesMax)
            return try body(&arena)
        }
    }

    private init(_ start: UnsafeMutableRawPointer, _ count: Int, overflowBytesMax: Int) {
        cursor = start
        available = count
        self.overflowBytesMax = overflowBytesMax
    }

    deinit {
        var block = newestBlock
        while let current = block {
            block = current.load(as: UnsafeMutableRawPointer?.self)
            free(current)
        }
    }

    /// Memory that lives as long as the arena; nil: that would pass the bound.
    mutating func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        guard byteCount >= 0, byteCount < Int.max / 2 else { return nil }
        let rounded = (byteCount + Self.alignment - 1) & ~(Self.alignment - 1)
        if rounded > available {
            guard addBlock(for: rounded) else { return nil }
        }
        defer {
            cursor += rounded
            available -= rounded
        }
        return cursor
    }

    private mutating func addBlock(for byteCount: Int) -> Bool {
        let size = max(nextBlockBytes, byteCount + Self.alignment)
        guard size <= overflowBytesMax - overflowBytes, let block = malloc(size) else {
            return false
        }
        block.storeBytes(of: newestBlock, as: UnsafeMutableRawPointer?.self)
        newestBlock = block
        cursor = block + Self.alignment
        available = size - Self.alignment
        overflowBytes += size
        overflowBlocks += 1
        nextBlockBytes = min(nextBlockBytes * 2, 1024 * 1024)
        return true
    }

    /// Lends this arena in the form that protobuf-c takes memory from.
    mutating func withAllocator<Result>(
        _ body: (UnsafeMutablePointer<ProtobufCAllocator>) -> Result,
    ) -> Result {
        withUnsafeMutablePointer(to: &self) { arena in
            var allocator = ProtobufCAllocator(
                alloc: { arena, size in
                    arena?.assumingMemoryBound(to: MessageArena.self).pointee.allocate(size)
                },
                free: { _, _ in },
                allocator_data: arena,
            )
            return withUnsafeMutablePointer(to: &allocator, body)
        }
    }

    private static let alignment = 16
}
