internal import Glibc

/// The bytes of one record on their way into a channel. They lie where they are until the record is
/// written: kernel TLS writes from there, also when it goes on after the socket was full.
package final class TLSRecord {
    let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    /// The most that TLS puts into one.
    package static let bytesMax = 16 << 10

    package init() { bytes = .allocate(byteCount: Self.bytesMax, alignment: 16) }

    deinit { bytes.deallocate() }

    /// Empties it.
    func clear() { count = 0 }

    /// Takes as many of these bytes as there is room for; answers how many.
    func append(_ more: UnsafeRawBufferPointer) -> Int {
        let taken = min(more.count, Self.bytesMax - count)
        UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: more[..<taken]))
        count += taken
        return taken
    }
}
