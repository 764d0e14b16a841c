internal import ExecModel
internal import Wire

/// Control messages that wait for a session to be on a connection, and who waits for them to go. A
/// value, bounded by `countMax`.
struct ControlQueue {
    private var waiting: [Entry] = []

    typealias Entry = (message: SessionRequest, done: Promise<Void>)

    /// Of sizes only the newest is kept: once the connection is back nobody wants the others. Fails
    /// with RESOURCE_EXHAUSTED where too many wait.
    mutating func append(_ message: SessionRequest, done: Promise<Void>) {
        if case .resize = message { dropResizes() }
        guard waiting.count < Self.countMax else {
            let what = "\(Self.countMax) signals and resizes wait for the connection already"
            return done.settle(.failure(ExecError(.resourceExhausted, what)))
        }
        waiting.append((message, done))
    }

    /// Hands over what waits, oldest first.
    mutating func takeAll() -> [Entry] {
        defer { waiting = [] }
        return waiting
    }

    private mutating func dropResizes() {
        waiting.removeAll { message, done in
            guard case .resize = message else { return false }
            done.settle(.success(()))
            return true
        }
    }

    static let countMax = 64
}
