import ExecModel
import Kernel
import Testing

@testable import ExecClient

@Suite struct OutputLedgerTests {
    @Test func `chunks in order are new, and the totals match`() throws {
        var ledger = OutputLedger(from: .start)
        #expect(try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3))
        #expect(try ledger.output(sequence: 2, offset: 0, stream: .stderr, count: 5))
        #expect(try ledger.output(sequence: 3, offset: 3, stream: .stdout, count: 1))
        try ledger.exit(Self.exit(last: 3, out: 4, err: 5))
    }

    @Test func `a chunk that came before is dropped`() throws {
        var ledger = OutputLedger(from: .start)
        _ = try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3)
        #expect(try !ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3))
        try ledger.exit(Self.exit(last: 1, out: 3, err: 0))
    }

    @Test(arguments: [View.From.start, .after(sequence: 0), .after(sequence: 4)])
    func `a hole is data loss`(from: View.From) {
        var ledger = OutputLedger(from: from)
        #expect {
            _ = try ledger.output(sequence: 6, offset: 0, stream: .stdout, count: 3)
        } throws: { Self.isDataLoss($0) }
    }

    @Test func `bytes that are missing between two chunks are data loss`() throws {
        var ledger = OutputLedger(from: .tail(bytes: 10))
        _ = try ledger.output(sequence: 7, offset: 100, stream: .stdout, count: 3)
        #expect {
            _ = try ledger.output(sequence: 8, offset: 104, stream: .stdout, count: 3)
        } throws: { Self.isDataLoss($0) }
    }

    @Test(arguments: [
        Self.exit(last: 2, out: 3, err: 0), Self.exit(last: 1, out: 4, err: 0),
        Self.exit(last: 1, out: 3, err: 1), Self.exit(last: 1, out: 2, err: 0),
    ])
    func `an exit with other totals is data loss`(exit: Exit) throws {
        var ledger = OutputLedger(from: .start)
        _ = try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3)
        #expect { try ledger.exit(exit) } throws: { Self.isDataLoss($0) }
    }

    @Test func `nothing at all matches an exec that wrote nothing`() throws {
        try OutputLedger(from: .start).exit(Self.exit(last: 0, out: 0, err: 0))
        #expect {
            try OutputLedger(from: .start).exit(Self.exit(last: 1, out: 1, err: 0))
        } throws: { Self.isDataLoss($0) }
    }

    @Test func `a live view proves nothing that came before it`() throws {
        var ledger = OutputLedger(from: .live)
        ledger.ready(lastSequence: 8)
        try ledger.exit(Self.exit(last: 8, out: 500, err: 500))
        _ = try ledger.output(sequence: 9, offset: 500, stream: .stdout, count: 5)
        try ledger.exit(Self.exit(last: 9, out: 505, err: 500))
        #expect { try ledger.exit(Self.exit(last: 10, out: 505, err: 501)) } throws: {
            Self.isDataLoss($0)
        }
    }

    @Test func `an exec that left a writer behind may have logged more than its totals`() throws {
        var ledger = OutputLedger(from: .start)
        _ = try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3)
        var exit = Self.exit(last: 0, out: 0, err: 0)
        exit.drained = false
        try ledger.exit(exit)
    }

    @Test func `a gap is counted`() throws {
        var ledger = OutputLedger(from: .start)
        let gap = Gap(firstSequence: 1, lastSequence: 4, stdoutBytes: 10, stderrBytes: 20)
        #expect(try ledger.gap(gap) == gap)
        #expect(try ledger.gap(gap) == nil)
        #expect(try ledger.output(sequence: 5, offset: 10, stream: .stdout, count: 1))
        try ledger.exit(Self.exit(last: 5, out: 11, err: 20))
    }

    @Test func `a gap from the beginning is counted from what has come`() throws {
        var ledger = OutputLedger(from: .start)
        _ = try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 3)
        _ = try ledger.output(sequence: 2, offset: 0, stream: .stderr, count: 7)
        let news = try ledger.gap(
            Gap(firstSequence: 1, lastSequence: 9, stdoutBytes: 100, stderrBytes: 7),
        )
        #expect(
            news == Gap(firstSequence: 3, lastSequence: 9, stdoutBytes: 97, stderrBytes: 0)
        )
        #expect(try ledger.output(sequence: 10, offset: 100, stream: .stdout, count: 1))
        try ledger.exit(Self.exit(last: 10, out: 101, err: 7))
    }

    @Test(arguments: [View.From.after(sequence: 5), .tail(bytes: 9), .live])
    func `a gap from the beginning says where the streams are, whatever the view`(
        from: View.From,
    ) throws {
        var ledger = OutputLedger(from: from)
        _ = try ledger.gap(
            Gap(firstSequence: 1, lastSequence: 9, stdoutBytes: 100, stderrBytes: 7),
        )
        #expect {
            _ = try ledger.output(sequence: 10, offset: 99, stream: .stdout, count: 1)
        } throws: { Self.isDataLoss($0) }
        #expect { try ledger.exit(Self.exit(last: 9, out: 100, err: 8)) } throws: {
            Self.isDataLoss($0)
        }
        try ledger.exit(Self.exit(last: 9, out: 100, err: 7))
    }

    @Test func `a gap that ends before what has come is data loss`() throws {
        var ledger = OutputLedger(from: .start)
        _ = try ledger.output(sequence: 1, offset: 0, stream: .stdout, count: 30)
        #expect {
            _ = try ledger.gap(
                Gap(firstSequence: 1, lastSequence: 2, stdoutBytes: 29, stderrBytes: 1),
            )
        } throws: { Self.isDataLoss($0) }
    }

    @Test func `a gap that begins too late is data loss`() {
        var ledger = OutputLedger(from: .start)
        #expect {
            _ = try ledger.gap(
                Gap(firstSequence: 2, lastSequence: 4, stdoutBytes: 1, stderrBytes: 1),
            )
        } throws: { Self.isDataLoss($0) }
    }

    @Test func `it resumes after the last chunk, whatever the view was`() throws {
        for from in [View.From.start, .live, .tail(bytes: 9), .after(sequence: 6)] {
            var ledger = OutputLedger(from: from)
            if from == .start {
                _ = try ledger.gap(
                    Gap(firstSequence: 1, lastSequence: 6, stdoutBytes: 0, stderrBytes: 0),
                )
            }
            _ = try ledger.output(sequence: 7, offset: 0, stream: .stdout, count: 1)
            #expect(ledger.resumePoint == .after(sequence: 7))
        }
    }

    @Test func `before the first chunk it resumes where the view began`() {
        #expect(OutputLedger(from: .start).resumePoint == .start)
        #expect(OutputLedger(from: .tail(bytes: 3)).resumePoint == .tail(bytes: 3))
        #expect(OutputLedger(from: .after(sequence: 6)).resumePoint == .after(sequence: 6))
        var live = OutputLedger(from: .live)
        live.ready(lastSequence: 12)
        #expect(live.resumePoint == .after(sequence: 12))
        live.ready(lastSequence: 20)
        #expect(live.resumePoint == .after(sequence: 12))
    }

    @Test(arguments: [0, 3])
    func `a tail that shows nothing resumes where it began`(bytes: UInt64) throws {
        let last: UInt64 = bytes == 0 ? 12 : 0
        var ledger = OutputLedger(from: .tail(bytes: bytes))
        ledger.ready(lastSequence: last)
        #expect(ledger.resumePoint == .after(sequence: last))
        ledger.resumed()
        #expect {
            _ = try ledger.output(sequence: last + 2, offset: 9, stream: .stdout, count: 1)
        } throws: { Self.isDataLoss($0) }
        #expect(try ledger.output(sequence: last + 1, offset: 9, stream: .stdout, count: 1))
    }

    @Test func `a tail that starts anew has to reach back to where it began`() throws {
        var ledger = OutputLedger(from: .tail(bytes: 3))
        ledger.ready(lastSequence: 12)
        #expect(ledger.resumePoint == .tail(bytes: 3))
        ledger.resumed()
        #expect {
            _ = try ledger.output(sequence: 14, offset: 0, stream: .stdout, count: 3)
        } throws: { Self.isDataLoss($0) }
        #expect {
            _ = try ledger.gap(
                Gap(firstSequence: 14, lastSequence: 15, stdoutBytes: 1, stderrBytes: 0),
            )
        } throws: { Self.isDataLoss($0) }
        #expect { try ledger.exit(Self.exit(last: 13, out: 1, err: 0)) } throws: {
            Self.isDataLoss($0)
        }
        try ledger.exit(Self.exit(last: 12, out: 1, err: 0))
        for first: UInt64 in [9, 13] {
            var ledger = ledger
            #expect(try ledger.output(sequence: first, offset: 0, stream: .stdout, count: 3))
        }
    }

    @Test(arguments: [true, false])
    func `a view that does not follow wants nothing of what came while it was away`(
        noFollow: Bool,
    ) throws {
        var view = View()
        view.from = .tail(bytes: 3)
        view.noFollow = noFollow
        var machine = SessionDriver.StateMachine(view: view, resumeLimit: .seconds(30))
        _ = machine.starting()
        _ = try machine.ready(lastSequence: 12, window: nil, hasExited: false)
        _ = machine.lost(ExecError(.unavailable, "cut"), now: Instant(nanoseconds: 0))
        #expect(machine.starting() == .tail(bytes: 3))
        _ = try machine.ready(lastSequence: 20, window: nil, hasExited: false)
        var code: ExecError.Code?
        do throws(ExecError) {
            _ = try machine.output(sequence: 20, offset: 90, stream: .stdout, count: 3)
        } catch {
            code = error.code
        }
        #expect(code == (noFollow ? nil : .dataLoss))
    }

    @Test func `the largest number there is costs nothing`() throws {
        var ledger = OutputLedger(from: .after(sequence: .max))
        ledger.ready(lastSequence: 3)
        #expect(try !ledger.output(sequence: 4, offset: 0, stream: .stdout, count: 1))
    }

    private static func exit(last: UInt64, out: UInt64, err: UInt64) -> Exit {
        Exit(code: 0, reason: .natural, lastSequence: last, stdoutBytes: out, stderrBytes: err)
    }

    private static func isDataLoss(_ error: any Error) -> Bool {
        (error as? ExecError)?.code == .dataLoss
    }
}
