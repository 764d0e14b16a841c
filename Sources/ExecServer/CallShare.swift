internal import Kernel

/// The time that one identity's calls may take of one loop, over all its connections there, or that all
/// peers take there that are not authenticated, with their calls and TLS handshakes. On the loop.
///
/// In each turn of the loop the calls of an identity have `turnTime`. Connections that still have calls
/// then wait in line, in the order in which they came to it, for the next turn; what other identities ask
/// has its turn before. An identity that is alone with the loop loses nothing by that: the next turn
/// begins at once. So a client waits for another identity's calls as long as `turnTime`, and one call,
/// whatever the number of that identity's connections.
final class CallShare {
    private let loop: EventLoop
    private var turn = Instant(nanoseconds: 0)
    private var spent = Duration.zero
    private var line: [Connection] = []
    private var head = 0
    private var isScheduled = false
    /// What one connection has at most before the next in line has its time.
    private let pieceTime: Duration

    static let turnTime = Duration.milliseconds(2)
    /// Of peers that are not authenticated: each needs one call only, and many may stand in line.
    static let strangersPieceTime = Duration.microseconds(250)

    init(_ loop: EventLoop, pieceTime: Duration = turnTime) {
        (self.loop, self.pieceTime) = (loop, pieceTime)
    }

    /// How much of the present turn is left for this connection; nil: it has been put in line, and
    /// `Connection.hearInTurn` is called when its time comes.
    func take(_ connection: Connection) -> Duration? {
        startTurn()
        if connection.isInLine || head < line.count || spent >= Self.turnTime {
            wait(connection)
            return nil
        }
        return min(pieceTime, Self.turnTime - spent)
    }

    /// So much time was taken.
    func spend(_ time: Duration) { spent += time }

    /// The connection has calls left, and no time in this turn.
    func wait(_ connection: Connection) {
        guard !connection.isInLine else { return }
        connection.isInLine = true
        line.append(connection)
        schedule()
    }

    private func startTurn() {
        guard turn != loop.now else { return }
        turn = loop.now
        spent = .zero
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        // Not `wake`: what is posted can run in this turn still, and the others would not have theirs.
        loop.schedule(after: .zero) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        isScheduled = false
        startTurn()
        // As many as stand in line now: who comes to it again has its time in the next turn.
        var count = line.count - head
        let first = head
        while count > 0, spent < Self.turnTime, head == first || !loop.isTurnOver {
            count -= 1
            let connection = line[head]
            head += 1
            connection.isInLine = false
            connection.hearInTurn(min(pieceTime, Self.turnTime - spent))
        }
        if head * 2 >= line.count {
            line.removeFirst(head)
            head = 0
        }
        if head < line.count { schedule() }
    }
}
