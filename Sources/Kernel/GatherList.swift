internal import CLinux
internal import Glibc

/// What one system call writes to a socket, gathered from several places: small pieces are written
/// into the list itself, payloads stay where they lie.
///
/// Bounded by `partsMax` parts and `pieceBytesMax` bytes of small pieces; ask `hasRoom` first. Keeps
/// the slabs that it refers to alive. Allocates once, when it is made.
package final class GatherList {
    private let parts: UnsafeMutableBufferPointer<iovec>
    private var partCount = 0
    private let pieces: UnsafeMutableRawPointer
    private var pieceBytes = 0
    private var slabs: [Slab] = []
    /// Where records of TLS are put together; one that a channel keeps is replaced.
    private var spareRecord: TLSRecord?
    /// All bytes in the list.
    package private(set) var byteCount = 0

    package static let partsMax = 256
    package static let pieceBytesMax = 32 << 10

    package init() {
        parts = .allocate(capacity: Self.partsMax)
        pieces = .allocate(byteCount: Self.pieceBytesMax, alignment: 16)
        slabs.reserveCapacity(Self.partsMax)
    }

    deinit {
        parts.deallocate()
        pieces.deallocate()
    }

    package var isEmpty: Bool { byteCount == 0 }

    /// Whether a piece of `bytes` bytes and a payload fit.
    package func hasRoom(for bytes: Int) -> Bool {
        partCount + 2 <= Self.partsMax && pieceBytes + bytes <= Self.pieceBytesMax
    }

    /// Adds a piece that `write` writes: `max` bytes at most; it returns how many.
    package func appendPiece(
        max: Int,
        _ write: (UnsafeMutableRawBufferPointer) -> Int,
    ) {
        precondition(hasRoom(for: max))
        let start = pieces + pieceBytes
        let count = write(UnsafeMutableRawBufferPointer(start: start, count: max))
        precondition(count <= max)
        pieceBytes += count
        append(start, count)
    }

    /// Adds a copy of `bytes`, which fit.
    package func appendPiece(_ bytes: RawSpan) {
        appendPiece(max: bytes.byteCount) { target in
            bytes.withUnsafeBytes { target.copyMemory(from: $0) }
            return bytes.byteCount
        }
    }

    /// Adds `count` bytes of `slab`, without copying them.
    package func append(_ slab: Slab, at start: Int, count: Int) {
        precondition(partCount < Self.partsMax)
        slabs.append(slab)
        append(slab.pointer(at: start, count: count), count)
    }

    /// Writes as much as the socket takes. Nil: nothing.
    func send(to socket: borrowing Descriptor) throws(Errno) -> Int? {
        try socket.send(UnsafeBufferPointer(rebasing: parts[..<partCount]))
    }

    /// As `send(to:)`, in records of TLS; what the channel keeps counts as sent.
    func send(over channel: TLSChannel) throws(TransportFailure) -> Int? {
        guard try channel.flush() else { return nil }
        var sent = 0
        var (part, offset) = (0, 0)
        while sent < byteCount {
            let record = spareRecord.take() ?? TLSRecord()
            fill(record, &part, &offset)
            sent += record.count
            guard try channel.write(record) else { return sent }
            spareRecord = record
        }
        return sent
    }

    private func fill(_ record: TLSRecord, _ part: inout Int, _ offset: inout Int) {
        record.clear()
        while part < partCount {
            let whole = UnsafeRawBufferPointer(
                start: parts[part].iov_base,
                count: parts[part].iov_len
            )
            offset += record.append(UnsafeRawBufferPointer(rebasing: whole[offset...]))
            if offset < whole.count { return }
            (part, offset) = (part + 1, 0)
        }
    }

    /// A copy of the bytes of `range`, counted over the whole list.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var position = 0
        for part in parts[..<partCount] {
            let buffer = UnsafeRawBufferPointer(start: part.iov_base, count: part.iov_len)
            let from = max(range.lowerBound, position) - position
            let to = min(range.upperBound, position + buffer.count) - position
            if from < to { bytes.append(contentsOf: buffer[from..<to]) }
            position += buffer.count
        }
        return bytes
    }

    /// Empties the list, and lets go of the slabs.
    package func removeAll() {
        partCount = 0
        pieceBytes = 0
        byteCount = 0
        slabs.removeAll(keepingCapacity: true)
    }

    private func append(_ start: UnsafeMutableRawPointer, _ count: Int) {
        guard count > 0 else { return }
        byteCount += count
        if partCount > 0, parts[partCount - 1].iov_base + parts[partCount - 1].iov_len == start {
            parts[partCount - 1].iov_len += count
            return
        }
        parts[partCount] = iovec(iov_base: start, iov_len: count)
        partCount += 1
    }
}
