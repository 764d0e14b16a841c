internal import ExecModel

/// Puts the time before every line of a stream whose chunks may end anywhere.
///
/// A line is stamped with the time of the chunk its first byte came in.
struct LineStamper {
    private var isAtLineStart = true

    /// The chunk with the stamp before each line that begins in it.
    mutating func stamped(_ bytes: [UInt8], unixNS: Int64) -> [UInt8] {
        let stamp = Array((Timestamp.text(unixNS: unixNS) + " ").utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + stamp.count)
        for byte in bytes {
            if isAtLineStart { result += stamp }
            result.append(byte)
            isAtLineStart = byte == UInt8(ascii: "\n")
        }
        return result
    }
}
