import Kernel

/// The loop's side of a child: its pipes and its process. The loop's thread only.
final class Watch {
    private let process: Held<ChildProcess>
    private let out: Held<Descriptor>
    private let err: Held<Descriptor>
    private var input: Held<Descriptor>?
    private var writing: Registration?
    private var unwritten: [UInt8] = []
    private var closesInput = false
    private var hasEnded = false
    private let loop: EventLoop

    init(
        process: consuming ChildProcess,
        input: consuming Descriptor,
        out: consuming Descriptor,
        err: consuming Descriptor,
        loop: EventLoop,
    ) {
        self.process = Held(process)
        self.input = Held(input)
        self.out = Held(out)
        self.err = Held(err)
        self.loop = loop
    }

    /// Tells `change` of everything that happens from now on.
    func begin(_ change: @escaping ((inout Child.View) -> Void) -> Void) {
        read(out) { bytes in
            change { if bytes.isEmpty { $0.openStreams -= 1 } else { $0.out += bytes } }
        }
        read(err) { bytes in
            change { if bytes.isEmpty { $0.openStreams -= 1 } else { $0.err += bytes } }
        }
        let (process, loop) = (process, loop)
        var registration: Registration?
        let handler = Handler { [weak self] in
            guard let end = try? process.value.collect() else { return }
            if let registration { loop.deregister(registration) }
            self?.hasEnded = true
            change { $0.end = end }
        }
        registration = try? process.value.register(on: loop, handler)
    }

    func signal(_ number: Int32) {
        if !hasEnded { try? process.value.signal(number, group: false) }
    }

    func write(_ bytes: [UInt8], andClose: Bool) {
        unwritten += bytes
        closesInput = closesInput || andClose
        flush()
    }

    private func flush() {
        guard let input else { return }
        do throws(Errno) {
            while !unwritten.isEmpty {
                guard let count = try input.value.write(unwritten.span.bytes) else {
                    return try waitForRoom(input)
                }
                unwritten.removeFirst(count)
            }
        } catch {
            // It reads no more.
            closesInput = true
        }
        if let writing { loop.deregister(writing) }
        writing = nil
        if closesInput { self.input = nil }
    }

    private func waitForRoom(_ input: Held<Descriptor>) throws(Errno) {
        if writing != nil { return }
        let handler = Handler { [weak self] in self?.flush() }
        writing = try loop.register(input.value, for: .writable, handler)
    }

    /// Tells every piece, and at last an empty one.
    private func read(_ descriptor: Held<Descriptor>, _ tell: @escaping ([UInt8]) -> Void) {
        let loop = loop
        var registration: Registration?
        let handler = Handler {
            do throws(Errno) {
                guard let count = try descriptor.value.read(into: loop.scratch) else { return }
                if count > 0 { return tell(Array(loop.scratch.prefix(count))) }
            } catch {}
            if let registration { loop.deregister(registration) }
            tell([])
        }
        registration = try? loop.register(descriptor.value, for: .readable, handler)
    }
}

/// A value that closures may share.
private final class Held<Value: ~Copyable & Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) { self.value = value }
}

private final class Handler: ReadinessHandler {
    private let body: () -> Void

    init(_ body: @escaping () -> Void) { self.body = body }

    func ready(_ readiness: Readiness) { body() }
}
