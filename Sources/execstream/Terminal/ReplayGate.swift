internal import ExecClient
internal import ExecModel

/// Keeps the answers of the user's terminal from an exec that has not asked. A value.
///
/// A program may ask its terminal something (where the cursor is, what it can do), and the answer comes
/// as if it were typed. Where the past of an exec is shown, the terminal answers again, and the answers
/// are for nobody. So until it has shown the past, all that comes is dropped. When it has, the terminal
/// itself knows best: it is asked a last question, and answers in order.
struct ReplayGate: Equatable {
    private enum State: Equatable {
        /// The past is not told yet; the first chunk that is wanted.
        case waiting(first: UInt64)
        /// Whether any of the past will be shown, up to this chunk, is not known.
        case unsure(through: UInt64)
        /// The past is being shown, up to this chunk.
        case replaying(through: UInt64)
        /// The question was asked; so many bytes of the answer have come.
        case asking(answered: Int)
        case open
    }

    private var state: State

    /// "How are you?", which every terminal since the VT100 answers by "well".
    static let question = Array("\u{1B}[5n".utf8)
    static let answer = Array("\u{1B}[0n".utf8)

    /// For a view that begins here.
    init(from: View.From) {
        switch from {
        case .start: state = .waiting(first: 1)
        case .after(let sequence): state = .waiting(first: sequence &+ 1)
        case .tail: state = .unsure(through: 0)
        case .live: state = .open
        }
    }

    /// An event has been shown. True: it was the last of the past, and the question is to be asked.
    mutating func shown(_ event: SessionEvent) -> Bool {
        switch (event, state) {
        case (.ready(let ready), .waiting(let first)):
            state = ready.lastSequence < first ? .open : .replaying(through: ready.lastSequence)
            return false
        case (.ready(let ready), .unsure):
            state = .unsure(through: ready.lastSequence)
            return false
        case (.output(let output), .unsure(let last)) where output.sequence < last:
            state = .replaying(through: last)
            return false
        case (.output(let output), .unsure(let last)) where output.sequence > last:
            state = .open
            return false
        case (.output, .unsure): break
        case (.output(let output), .replaying(let last)) where output.sequence >= last: break
        case (.gap(let gap), .replaying(let last)) where gap.lastSequence >= last: break
        default: return false
        }
        state = .asking(answered: 0)
        return true
    }

    /// What of the bytes that came from the terminal is for the exec.
    mutating func take(_ bytes: [UInt8]) -> [UInt8] {
        var answered: Int
        switch state {
        case .open, .unsure: return bytes
        case .waiting, .replaying: return []
        case .asking(let count): answered = count
        }
        for (index, byte) in bytes.enumerated() {
            if byte == Self.answer[answered] {
                answered += 1
            } else {
                answered = byte == Self.answer[0] ? 1 : 0
            }
            guard answered < Self.answer.count else {
                state = .open
                return Array(bytes[(index + 1)...])
            }
        }
        state = .asking(answered: answered)
        return []
    }

    /// No answer is waited for.
    mutating func open() { state = .open }
}
