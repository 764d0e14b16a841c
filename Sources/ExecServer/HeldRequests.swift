internal import Wire

/// What a client has sent on a Session whose exec is still being started: it counts in its order, once the
/// exec runs.
///
/// Bounded: a client knows of no stdin credit before `Ready`, so it has little to say. More is refused.
struct HeldRequests {
    private(set) var all: [SessionRequest] = []
    /// The client has half-closed the stream.
    var isHalfClosed = false
    private var byteCount = 0

    private static let countMax = 64
    private static let bytesMax = 64 << 10

    /// Throws RESOURCE_EXHAUSTED at the bound.
    mutating func append(_ request: SessionRequest, byteCount: Int) throws(ExecError) {
        self.byteCount += byteCount
        guard all.count < Self.countMax, self.byteCount <= Self.bytesMax else {
            throw ExecError(
                .resourceExhausted,
                "more than \(Self.countMax) messages or \(Self.bytesMax >> 10) KiB before Ready; "
                    + "wait for it first",
            )
        }
        all.append(request)
    }
}
