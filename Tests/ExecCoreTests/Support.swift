import ExecCore
import ExecModel
import Glibc
import Kernel
import Synchronization
import Testing

/// Clocks that stand still until a test moves them.
final class FakeClocks: Clocks {
    private let nanoseconds = Atomic<UInt64>(1_000_000_000)
    /// How far the Unix clock has been set away from the other.
    private let jumped = Atomic<Int64>(0)

    var now: Instant { Instant(nanoseconds: nanoseconds.load(ordering: .relaxed)) }
    var unixNS: Int64 {
        Int64(nanoseconds.load(ordering: .relaxed)) + jumped.load(ordering: .relaxed)
    }

    /// Somebody sets the Unix clock.
    func setUnixClock(ahead duration: Duration) {
        jumped.store(duration.wholeNanoseconds, ordering: .relaxed)
    }

    func advance(by duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let step = UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        nanoseconds.add(step, ordering: .relaxed)
    }
}

/// Clocks that let somebody else have a turn in the middle of what asks for the time.
final class InterruptingClocks: Clocks {
    private let interruption = Mutex<(@Sendable () -> Void)?>(nil)

    var now: Instant { Instant(nanoseconds: 1_000_000_000) }
    var unixNS: Int64 {
        let body = interruption.withLock { $0.take() }
        body?()
        return 1_000_000_000
    }

    /// Who asks for the Unix time next has to wait for `body`.
    func interrupt(by body: @escaping @Sendable () -> Void) {
        interruption.withLock { $0 = body }
    }
}

/// Remembers that it was woken.
final class FakeWaker: Wakeable {
    private let isWoken = Atomic(false)

    func wake() { isWoken.store(true, ordering: .sequentiallyConsistent) }

    /// Whether it was woken since this was last asked.
    func take() -> Bool { isWoken.exchange(false, ordering: .sequentiallyConsistent) }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True once in `count` times.
    mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }
}

/// Lends a new directory in memory to `body`, and deletes it.
func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
    let parent = Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp"
    let path = try Files.makeTemporaryDirectory(in: parent, prefix: "execstream-core-")
    defer { try? Files.removeTree(path) }
    return try body(path)
}

/// Lends a loop that runs, and ends it.
func withLoop<R>(_ body: (EventLoop) throws -> R) throws -> R {
    let group = try EventLoopGroup(count: 1, name: "test")
    defer { group.shutdown() }
    return try body(group.loops[0])
}

extension EventLoop {
    /// Runs `body` on the loop, and brings home what it returns: a test knows only what its own thread
    /// expects.
    func value<Value: Sendable>(
        _ body: @escaping @Sendable () throws(Errno) -> Value,
    ) throws -> Value {
        let box = Box<Value>()
        try perform { () throws(Errno) in
            let value = try body()
            box.value.withLock { $0 = value }
        }
        return try #require(box.value.withLock { $0 })
    }
}

private final class Box<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}

extension Chunk {
    /// A copy of its bytes.
    var bytes: [UInt8] {
        slab.withBytes(at: start, count: count) { span in span.withUnsafeBytes { Array($0) } }
    }
}
