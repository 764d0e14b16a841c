internal import ExecModel
internal import Kernel
internal import Synchronization

/// The writing end of an exec's stdin, on its loop: takes what clients send in the order of arrival
/// and gives them credit as the exec reads it. Bounded by `StdinCredit`. A terminal's stdin has no
/// end: somebody who ends it has its end-of-file character typed, and more may follow.
final class StdinPipe: ReadinessHandler {
    private let loop: EventLoop
    private let terminal: ExecTerminal?
    /// Whether what was typed last is not the end of a line.
    private var isInLine = false
    private var pipe: Descriptor?
    private var registration: Registration?
    /// Under a lock because a writer's first grant is made on the writer's thread; all else is for
    /// the loop's.
    private let queue = Mutex(StdinQueue())
    private var creditors: [UInt64: @Sendable (Int) -> Void] = [:]
    /// Credit that writers are to be told of; empty between calls.
    private var grants: StdinQueue.Grants = [:]
    /// Credit of writers that are about to `join`.
    private var early: StdinQueue.Grants = [:]
    private var dropped = 0

    init(_ pipe: consuming Descriptor, of terminal: ExecTerminal?, loop: EventLoop) {
        self.pipe = consume pipe
        self.terminal = terminal
        self.loop = loop
    }

    /// What a new writer may send at once. From any thread.
    func reserve(_ writer: UInt64) -> Int { queue.withLock { $0.join(writer) } }

    /// The new writer is told what it may send besides.
    func join(_ writer: UInt64, credit: @escaping @Sendable (Int) -> Void) {
        creditors[writer] = credit
        if let bytes = early.removeValue(forKey: writer) { credit(bytes) }
    }

    func leave(_ writer: UInt64, closing: Bool) {
        creditors[writer] = nil
        early[writer] = nil
        queue.withLock { $0.leave(writer) }
        if closing, creditors.isEmpty { close() }
    }

    func write(_ bytes: [UInt8], from writer: UInt64) {
        guard pipe != nil, queue.withLock({ $0.append(bytes, from: writer) }) else {
            dropped += bytes.count
            // The writer is not to wait for an exec that will never read this.
            creditors[writer]?(bytes.count)
            return
        }
        if let last = bytes.last { isInLine = !Self.lineEnds.contains(last) }
        flush()
    }

    func close() {
        guard pipe != nil else { return }
        let typed = terminal?.endOfInput(inLine: isInLine)
        isInLine = false
        queue.withLock { queue in
            if let typed { queue.appendEnd(typed) } else { queue.close() }
        }
        flush()
    }

    /// Terminals make a line feed of a carriage return.
    private static let lineEnds: [UInt8] = Array("\n\r".utf8)

    /// The process is gone. Returns how many bytes it never took.
    func end() -> Int {
        breakOff()
        return dropped
    }

    func ready(_ readiness: Readiness) {
        if readiness.contains(.error) { breakOff() } else { flush() }
    }

    private func flush() {
        do throws(Errno) {
            while true {
                switch try writeFront() {
                case .wrote:
                    deliver()
                case .full:
                    return waitForRoom()
                case .empty(let isClosed):
                    return isClosed ? breakOff() : stopWaiting()
                }
            }
        } catch {
            // EPIPE: the exec has closed its stdin. Whatever comes is dropped.
            breakOff()
        }
    }

    private enum Write {
        case wrote
        case full
        case empty(isClosed: Bool)
    }

    private func writeFront() throws(Errno) -> Write {
        try queue.withLock { (queue) throws(Errno) -> Write in
            let written = try queue.withFront { (bytes) throws(Errno) in
                try pipe.lend { (pipe) throws(Errno) in try pipe.write(bytes) } ?? nil
            }
            guard let attempt = written else { return .empty(isClosed: queue.isClosed) }
            guard let count = attempt else { return .full }
            queue.take(count, &grants)
            return .wrote
        }
    }

    /// Tells the writers of their credit.
    private func deliver() {
        for (writer, bytes) in grants {
            if let credit = creditors[writer] {
                credit(bytes)
            } else {
                early[writer, default: 0] += bytes
            }
        }
        grants.removeAll(keepingCapacity: true)
    }

    /// The exec takes no more. The writers are not to wait for one that will never read.
    private func breakOff() {
        dropped += queue.withLock { $0.drop(&grants) }
        deliver()
        stopWaiting()
        pipe.take()?.close()
    }

    private func waitForRoom() {
        guard registration == nil else { return }
        registration = try? pipe.lend { (pipe) throws(Errno) in
            try loop.register(pipe, for: .writable, self)
        }
    }

    private func stopWaiting() {
        if let registration { loop.deregister(registration) }
        registration = nil
    }
}

extension [OutputPipe] {
    /// The processes that hold any of these pipes, each once.
    func holders() -> [Int32] {
        Set(flatMap { $0.holders() }).sorted()
    }
}
