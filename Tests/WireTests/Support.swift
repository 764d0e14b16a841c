internal import Glibc
internal import Testing

@testable internal import Wire

/// Bytes from hex; blanks and line ends do not count.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Random numbers that come again with the same seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

/// A seed for this run, printed so that a failure can be had again: set WIRE_TESTS_SEED to it.
func newSeed(_ test: String = #function) -> UInt64 {
    let given = getenv("WIRE_TESTS_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(test): seed \(seed)")
    return seed
}

/// Memory whose end is the end of a page that nothing follows: reading past it is a crash.
final class GuardedMemory {
    private let start: UnsafeMutableRawPointer
    private let byteCount: Int
    private let pageSize = 4096

    /// Has room for `capacity` bytes.
    init(capacity: Int) throws {
        byteCount = (capacity + pageSize - 1) / pageSize * pageSize
        let mapped = mmap(
            nil,
            byteCount + pageSize,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0,
        )
        start = try #require(mapped == MAP_FAILED ? nil : mapped)
        try #require(mprotect(start + byteCount, pageSize, PROT_NONE) == 0)
    }

    deinit { munmap(start, byteCount + pageSize) }

    /// Lends a copy of `bytes` that ends where the memory does.
    func with<Result>(_ bytes: some Collection<UInt8>, _ body: (RawSpan) -> Result) -> Result {
        precondition(bytes.count <= byteCount)
        let target = UnsafeMutableRawBufferPointer(
            start: start + byteCount - bytes.count,
            count: bytes.count,
        )
        target.copyBytes(from: bytes)
        return body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(target)))
    }
}

/// Decodes, where it does not matter what comes of it.
func attempt<Message: WireMessage>(_ type: Message.Type, _ bytes: RawSpan) -> Message? {
    try? Message.decode(bytes)
}

extension WireMessage {
    /// Decodes bytes that are in an array.
    static func decode(bytes: [UInt8]) throws(DecodeFailure) -> Self {
        try decode(bytes.span.bytes)
    }
}

extension TopMessage {
    /// Decodes bytes that are in an array, with protobuf-c whatever they are.
    static func decodeAny(bytes: [UInt8]) throws(DecodeFailure) -> Self {
        try decodeAny(bytes.span.bytes)
    }
}

extension OutputMessage {
    /// Parses bytes that are in an array.
    static func parse(bytes: [UInt8]) -> (fields: Fields, payload: Range<Int>)? {
        parse(bytes.span.bytes)
    }
}

/// What a failing decode says; nil: it does not fail.
func failure<Message: WireMessage>(_ type: Message.Type, _ bytes: [UInt8]) -> String? {
    do {
        _ = try Message.decode(bytes: bytes)
        return nil
    } catch {
        return error.message
    }
}
