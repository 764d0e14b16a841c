import ExecClient
import ExecModel
import Testing

@testable import execstream

@Suite struct ReplayGateTests {
    private static func ready(_ last: UInt64) -> SessionEvent {
        .ready(
            SessionEvent.Ready(
                info: ExecInfo(containerID: "c", execID: "e"),
                joined: true,
                firstSequence: 1,
                lastSequence: last
            )
        )
    }

    private static func output(_ sequence: UInt64) -> SessionEvent {
        .output(
            SessionEvent.Output(
                sequence: sequence,
                offset: 0,
                unixNS: 0,
                replay: true,
                stream: .stdout,
                bytes: []
            )
        )
    }

    /// A gate whose past has been shown.
    private static func asking() -> ReplayGate {
        var gate = ReplayGate(from: .start)
        _ = gate.shown(ready(1))
        _ = gate.shown(output(1))
        return gate
    }

    @Test(arguments: [
        (View.From.start, UInt64(0)), (.after(sequence: 7), 7), (.live, 9), (.tail(bytes: 10), 9),
    ])
    func `without a past everything is for the exec`(from: View.From, last: UInt64) {
        var gate = ReplayGate(from: from)
        #expect(gate.shown(Self.ready(last)) == false)
        #expect(gate.take([1, 2]) == [1, 2])
    }

    @Test func `what comes while the past is shown is dropped`() {
        var gate = ReplayGate(from: .after(sequence: 2))
        #expect(gate.take([1]) == [])
        #expect(gate.shown(Self.ready(5)) == false)
        #expect(gate.take([2]) == [])
        #expect(gate.shown(Self.output(3)) == false)
        #expect(gate.take(ReplayGate.answer) == [])
        let gap = Gap(firstSequence: 4, lastSequence: 5, stdoutBytes: 1, stderrBytes: 0)
        #expect(gate.shown(.gap(gap)) == true)
        #expect(gate.shown(Self.output(6)) == false)
        #expect(gate.take([3]) == [])
        #expect(gate.take([4] + ReplayGate.answer + [5]) == [5])
        #expect(gate.take(ReplayGate.answer) == ReplayGate.answer)
    }

    @Test(arguments: ["\u{1B}[0n", "\u{1B}[?1;2c\u{1B}[0n", "\u{1B}\u{1B}[0n", "\u{1B}[\u{1B}[0n"])
    func `the answer is found however it is cut`(text: String) {
        let bytes = Array(text.utf8) + [7, 8]
        for cut in 0...bytes.count {
            var gate = Self.asking()
            #expect(gate.take(Array(bytes[..<cut])) + gate.take(Array(bytes[cut...])) == [7, 8])
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `a tail has a past once it is shown`(first: UInt64) {
        var gate = ReplayGate(from: .tail(bytes: 10))
        #expect(gate.shown(Self.ready(2)) == false)
        #expect(gate.take([1]) == [1])
        for sequence in first...2 {
            #expect(gate.shown(Self.output(sequence)) == (sequence == 2))
            #expect(gate.take([2]) == [])
        }
        #expect(gate.take(ReplayGate.answer + [3]) == [3])
    }

    @Test func `a terminal that does not answer is not waited for`() {
        var gate = Self.asking()
        #expect(gate.take([1]) == [])
        gate.open()
        #expect(gate.take([2]) == [2])
    }
}
