/// Finds the keys that leave an exec (ctrl-p ctrl-q) in what is typed. A value: bytes in, in pieces of
/// any size, and what is for the exec out.
///
/// A ctrl-p is kept until the next byte says whether it was the first of the two.
struct DetachKeys {
    private var isHeld = false

    static let first: UInt8 = 0x10
    static let second: UInt8 = 0x11

    /// What came of one piece.
    struct Outcome: Equatable {
        /// For the exec.
        var bytes: [UInt8] = []
        /// The user wants to leave; what was typed after the keys is dropped.
        var isDetach = false
    }

    mutating func take(_ piece: [UInt8]) -> Outcome {
        var outcome = Outcome()
        for byte in piece {
            if isHeld {
                isHeld = false
                guard byte != Self.second else {
                    outcome.isDetach = true
                    return outcome
                }
                outcome.bytes.append(Self.first)
            }
            if byte == Self.first { isHeld = true } else { outcome.bytes.append(byte) }
        }
        return outcome
    }
}
