import Testing

@testable import execstream

@Suite struct DetachKeysTests {
    private static let p: UInt8 = 0x10
    private static let q: UInt8 = 0x11
    private static let a = UInt8(ascii: "a")

    @Test(arguments: [
        // What is typed; what is for the exec; whether it leaves.
        ([], [], false),
        ([a], [a], false),
        ([q], [q], false),
        ([p, q], [], true),
        ([a, p, q], [a], true),
        ([p, q, a], [], true),
        ([p, a], [p, a], false),
        ([p, a, q], [p, a, q], false),
        ([q, p], [q], false),
        ([p, p], [p], false),
        ([p, p, q], [p], true),
        ([p, p, a], [p, p, a], false),
        ([p, a, p, q], [p, a], true),
        ([p, 0], [p, 0], false),
    ])
    func `the keys are found however they are cut`(
        typed: [UInt8],
        passed: [UInt8],
        isDetach: Bool,
    ) {
        // Every way to cut it into pieces: bit n says whether a piece ends after byte n.
        for cuts in 0..<(1 << max(typed.count - 1, 0)) {
            var keys = DetachKeys()
            var outcome = DetachKeys.Outcome()
            var piece: [UInt8] = []
            for (index, byte) in typed.enumerated() {
                piece.append(byte)
                guard cuts >> index & 1 == 1 || index == typed.count - 1 else { continue }
                let next = keys.take(piece)
                piece = []
                outcome.bytes += next.bytes
                outcome.isDetach = next.isDetach
                if next.isDetach { break }
            }
            #expect(outcome == DetachKeys.Outcome(bytes: passed, isDetach: isDetach), "\(cuts)")
        }
    }
}
