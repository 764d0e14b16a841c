/// A block of memory that chunks of output lie in, side by side, shared by reference.
///
/// One writer (the tee that owns it) appends; bytes below `used` never change again while anybody
/// else holds a reference, so readers on other threads need no lock: they were handed the range
/// under one. When the last chunk in it is dropped, the writer may `reuse` it.
package final class Slab: @unchecked Sendable {
    // Unchecked: `used` and the bytes above it belong to the one writer; those below are constant.
    package let capacity: Int
    private let base: UnsafeMutableRawPointer
    package private(set) var used = 0

    package init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    package var room: Int { capacity - used }

    /// Appends `count` bytes of `file` from `offset` on; returns where they begin.
    ///
    /// The caller knows that the file has them; a file cut short underneath throws `.inputOutput`.
    package func append(
        from file: borrowing Descriptor,
        at offset: UInt64,
        count: Int,
    ) throws(Errno) -> Int {
        precondition(count <= room)
        let target = UnsafeMutableRawBufferPointer(start: base + used, count: count)
        guard try file.pread(into: target, at: offset) == count else { throw Errno.inputOutput }
        return take(count)
    }

    /// Appends what `source` has now, `max` bytes at most; returns how many, 0 at the end, nil
    /// where there is nothing yet.
    package func append(
        readingFrom source: borrowing Descriptor,
        max: Int,
    ) throws(Errno) -> Int? {
        let target = UnsafeMutableRawBufferPointer(start: base + used, count: min(max, room))
        guard let count = try source.read(into: target) else { return nil }
        _ = take(count)
        return count
    }

    /// Appends a copy of `bytes`; returns where they begin.
    package func append(_ bytes: RawSpan) -> Int {
        precondition(bytes.byteCount <= room)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            (base + used).copyMemory(from: start, byteCount: source.count)
        }
        return take(bytes.byteCount)
    }

    /// Lends `count` bytes from `start` on.
    package func withBytes<R, E: Error>(
        at start: Int,
        count: Int,
        _ body: (RawSpan) throws(E) -> R,
    ) throws(E) -> R {
        checkRange(start, count)
        return try body(
            RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: base + start, count: count))
        )
    }

    /// Writes `count` bytes from `start` on to `file` at `offset`.
    package func write(
        at start: Int,
        count: Int,
        to file: borrowing Descriptor,
        at offset: UInt64,
    ) throws(Errno) {
        checkRange(start, count)
        try file.pwrite(UnsafeRawBufferPointer(start: base + start, count: count), at: offset)
    }

    /// Forgets what it holds. Only for a writer that knows nobody else has a reference.
    package func reuse() { used = 0 }

    func pointer(at start: Int, count: Int) -> UnsafeMutableRawPointer {
        checkRange(start, count)
        return base + start
    }

    /// Against the capacity, not `used`: that is the writer's, and readers come on other threads.
    private func checkRange(_ start: Int, _ count: Int) {
        precondition(start >= 0 && count >= 0 && start + count <= capacity)
    }

    private func take(_ count: Int) -> Int {
        defer { used += count }
        return used
    }
}
