/// Bytes that wait for a socket to take them, in order.
///
/// Bounded by its users: streams add to it only while `hasRoom`; requests and control messages,
/// which are small, always.
struct WriteBuffer {
    private var bytes: [UInt8] = []
    private var head = 0

    /// Above this, streams wait.
    static let roomBytesMax = 256 << 10

    /// How much waits.
    var count: Int { bytes.count - head }
    /// Nothing waits.
    var isEmpty: Bool { count == 0 }
    /// Whether streams may add to it.
    var hasRoom: Bool { count < Self.roomBytesMax }

    /// Adds bytes at the end.
    mutating func append(_ more: [UInt8]) {
        if isEmpty, more.count > Self.keptBytesMax {
            bytes = more
            head = 0
        } else {
            bytes += more
        }
    }

    /// Lends what waits to `write`, which answers how much of it is done; nil: no more goes now.
    mutating func drain<E>(_ write: (RawSpan) throws(E) -> Int?) throws(E) {
        while !isEmpty {
            guard let done = try write(bytes.span.bytes.extracting(droppingFirst: head)) else {
                return compact()
            }
            head += done
        }
        head = 0
        if bytes.capacity > Self.keptBytesMax {
            bytes = []
        } else {
            bytes.removeAll(keepingCapacity: true)
        }
    }

    /// Gives the written part back once it is the larger one.
    private mutating func compact() {
        guard head > bytes.count / 2 else { return }
        bytes.removeFirst(head)
        head = 0
    }

    private static let keptBytesMax = 64 << 10
}
