/// Bytes that wait to be written, taken from the front in pieces: taking one costs what the piece has,
/// whatever waits behind it. A value.
struct Outbox {
    private var bytes: [UInt8] = []
    private var head = 0

    /// Memory that is kept while nothing waits.
    private static let keptBytesMax = 16 << 10
    /// What was taken stays in front until it is as much, and half of all.
    private static let takenBytesMin = 64 << 10

    var count: Int { bytes.count - head }
    var isEmpty: Bool { count == 0 }

    /// Adds `more` behind the rest.
    mutating func append(_ more: [UInt8]) {
        if bytes.isEmpty, more.count > Self.keptBytesMax { bytes = more } else { bytes += more }
    }

    /// Adds `rest` in front: it was taken, and could not be written.
    mutating func putBack(_ rest: [UInt8]) {
        guard !rest.isEmpty else { return }
        if rest.count <= head {
            bytes.replaceSubrange((head - rest.count)..<head, with: rest)
            head -= rest.count
        } else {
            bytes = rest + bytes[head...]
            head = 0
        }
    }

    /// Lends the first `count` bytes, and takes them out.
    mutating func take(_ count: Int, _ body: (RawSpan) -> Void) {
        body(bytes.span.bytes.extracting(head..<(head + count)))
        head += count
        if isEmpty {
            removeAll(keepingCapacity: bytes.capacity <= Self.keptBytesMax)
        } else if head >= Self.takenBytesMin, head * 2 >= bytes.count {
            bytes.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll(keepingCapacity: Bool = false) {
        bytes.removeAll(keepingCapacity: keepingCapacity)
        head = 0
    }
}
