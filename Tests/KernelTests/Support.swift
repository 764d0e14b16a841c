internal import Glibc
internal import Synchronization
internal import Testing

@testable internal import Kernel

/// A value that several threads may touch.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) {
        mutex = Mutex(value)
    }

    var value: Value { mutex.withLock { $0 } }

    @discardableResult
    func change<Result: Sendable>(_ body: @Sendable (inout Value) -> Result) -> Result {
        mutex.withLock { body(&$0) }
    }
}

/// A descriptor that closures may share.
final class Held: Sendable {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = consume descriptor
    }
}

/// A child that closures may share.
final class HeldChild: Sendable {
    let child: ChildProcess

    init(_ child: consuming ChildProcess) {
        self.child = consume child
    }
}

/// A handler made of a closure.
final class Handler: ReadinessHandler {
    private let body: (Readiness) -> Void

    init(_ body: @escaping (Readiness) -> Void) {
        self.body = body
    }

    func ready(_ readiness: Readiness) {
        body(readiness)
    }
}

/// A result that somebody waits for; only the first counts. A test that runs out of time stops
/// waiting, so that it fails instead of hanging.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, any Error>)
        case kept(Result<Value, any Error>)
        case over
    }

    private let state = Mutex(State.open)

    func resume(with result: Result<Value, any Error>) {
        let continuation = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            switch state {
            case .open:
                state = .kept(result)
                return nil
            case .awaited(let continuation):
                state = .over
                return continuation
            case .kept, .over: return nil
            }
        }
        continuation?.resume(with: result)
    }

    var value: Value {
        get async throws {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    let kept = state.withLock { state -> Result<Value, any Error>? in
                        guard case .kept(let result) = state else {
                            state = .awaited(continuation)
                            return nil
                        }
                        state = .over
                        return result
                    }
                    if let kept { continuation.resume(with: kept) }
                }
            } onCancel: {
                resume(with: .failure(CancellationError()))
            }
        }
    }
}

extension EventLoop {
    /// Runs `body` on the loop and waits for what it returns.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value,
    ) async throws -> Value {
        let promise = Promise<Value>()
        execute { promise.resume(with: Result { try body() }) }
        return try await promise.value
    }

    /// Runs `body` on the loop and waits until it, or what it left behind there, calls its argument.
    func finish<Value: Sendable>(
        _ body: @escaping @Sendable (@escaping (Value) -> Void) throws -> Void,
    ) async throws -> Value {
        let promise = Promise<Value>()
        execute {
            do {
                try body { promise.resume(with: .success($0)) }
            } catch {
                promise.resume(with: .failure(error))
            }
        }
        return try await promise.value
    }

    /// Waits until the descriptor is ready for `interest`.
    @discardableResult
    func readiness(of held: Held, for interest: Interest) async throws -> Readiness {
        try await finish { [self] done in
            var registration: Registration?
            registration = try register(
                held.descriptor,
                for: interest,
                Handler { readiness in
                    if let registration { self.deregister(registration) }
                    done(readiness)
                },
            )
        }
    }

    /// Waits until the child has ended, and collects it.
    func end(of held: HeldChild) async throws -> ProcessEnd {
        let end: Result<ProcessEnd?, Errno> = try await finish { [self] done in
            var registration: Registration?
            registration = try held.child.register(
                on: self,
                Handler { _ in
                    if let registration { self.deregister(registration) }
                    done(Result { () throws(Errno) in try held.child.collect() })
                },
            )
        }
        return try #require(try end.get())
    }
}

/// Lends a loop that runs, and ends it.
func withLoop<Result>(_ body: (EventLoop) async throws -> Result) async throws -> Result {
    try await withLoops(1) { try await body($0[0]) }
}

/// Lends loops that run, and ends them.
func withLoops<Result>(
    _ count: Int,
    _ body: ([EventLoop]) async throws -> Result,
) async throws -> Result {
    let group = try EventLoopGroup(count: count, name: "test")
    defer { group.shutdown() }
    return try await body(group.loops)
}

/// A directory that is removed with this.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let name = randomBytes(6).map { String($0, radix: 16) }.joined()
        path = "/tmp/kernel-tests-\(name)"
        try Files.makeDirectories(path, permissions: 0o700)
    }

    deinit {
        try? Files.removeTree(path)
    }

    /// Makes a file in it and returns its path.
    func file(_ name: String, _ text: String = "", permissions: UInt32 = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        try Files.writeAtomically(file, Array(text.utf8), permissions: permissions)
        return file
    }
}

extension Descriptor {
    /// Writes all of `text`; the descriptor must take it at once.
    func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        let count = try bytes.withUnsafeBytes { try self.write($0) }
        #expect(count == bytes.count)
    }

    /// One read: nil where there is nothing, "" at the end.
    func readText(max: Int = 65_536) throws -> String? {
        var bytes = [UInt8](repeating: 0, count: max)
        guard let count = try bytes.withUnsafeMutableBytes({ try self.read(into: $0) }) else {
            return nil
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// All there is up to the end, waiting for it; the descriptor must be a blocking one.
    func readToEnd() throws -> String {
        var text = ""
        while let more = try readText(), !more.isEmpty { text += more }
        return text
    }

    /// The part of a file, as text.
    func text(at offset: UInt64, max: Int = 65_536) throws -> String {
        var bytes = [UInt8](repeating: 0, count: max)
        let count = try bytes.withUnsafeMutableBytes { try pread(into: $0, at: offset) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

/// As `#require`, which takes only what can be copied.
func required(_ descriptor: consuming Descriptor?) throws -> Descriptor {
    switch consume descriptor {
    case .some(let descriptor): return descriptor
    case .none: throw Errno.notFound
    }
}

/// The text of a small file.
func text(of path: String) throws -> String {
    String(decoding: try Files.readSmall(path, max: 1 << 20), as: UTF8.self)
}

/// Whether anything, ended or not, is a child of this process. For exit tests: the test process has
/// children of other tests.
func hasChildren() -> Bool {
    var info = siginfo_t()
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0
}

/// What descriptors this process has open, with what each is; less the timers that the test's own
/// machinery may make at any time. For exit tests.
func openDescriptors() throws -> Set<String> {
    var open: Set<String> = []
    for number in try Files.list("/proc/self/fd") {
        var target = [CChar](repeating: 0, count: 256)
        let count = readlink("/proc/self/fd/\(number)", &target, target.count)
        // Gone: what the listing itself was read with.
        if count < 0 { continue }
        let bytes = target[..<count].map { UInt8(bitPattern: $0) }
        let file = String(decoding: bytes, as: UTF8.self)
        if file != "anon_inode:[timerfd]" { open.insert("\(number) \(file)") }
    }
    return open
}

/// Fails the exit test, and says why where the test's output goes.
func fail(_ reason: String) -> Never {
    let line = Array("exit test: \(reason)\n".utf8)
    write(2, line, line.count)
    exit(1)
}
