internal import ExecModel

/// The labels that an exec must have to be in a list, as a value.
///
/// Bounded: as many as an exec may have (`Command.labelsMax`), and `bytesMax` bytes together.
struct LabelFilter {
    /// The filter's bytes.
    let byteCount: Int
    private let labels: [(key: String, value: String)]

    static let bytesMax = 64 << 10
    /// A longer key is compared with those of the exec that have its length: to look it up would mean to
    /// hash all of it once more for each exec.
    private static let hashedBytesMax = 256

    /// Throws INVALID_ARGUMENT where they are too many bytes.
    init(_ labels: [String: String]) throws(ExecError) {
        self.labels = labels.map { ($0.key, $0.value) }
        byteCount = labels.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard byteCount <= Self.bytesMax else {
            throw ExecError(
                .invalidArgument,
                "labels: \(byteCount) bytes; at most \(Self.bytesMax) are allowed in a list"
            )
        }
    }

    /// Whether an exec with these labels has all of the filter's.
    func matches(_ others: [String: String]) -> Bool {
        labels.count <= others.count
            && labels.allSatisfy {
                Self.value(of: $0.key, in: others)?.isSame(as: $0.value) == true
            }
    }

    private static func value(of key: String, in labels: [String: String]) -> String? {
        if key.utf8.count <= hashedBytesMax { return labels[key] }
        return labels.first { $0.key.isSame(as: key) }?.value
    }
}

extension String {
    /// Whether it has the same bytes. Of two lengths it is known at once.
    fileprivate func isSame(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
