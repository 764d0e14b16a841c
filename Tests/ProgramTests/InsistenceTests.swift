import Glibc
import Testing

@testable import execstream

@Suite("Signals to the program")
struct InsistenceTests {
    @Test func `who signals again a second later insists`() {
        let start = ContinuousClock.now
        var insistence = Insistence()
        let insists = [0, 0, 999, 1000].map { insistence.signalled(at: start + .milliseconds($0)) }
        #expect(insists == [false, false, false, true])
    }

    @Test func `who is heeded does not insist`() {
        let start = ContinuousClock.now
        var insistence = Insistence()
        _ = insistence.signalled(at: start)
        insistence.heeded()
        let insists = [5, 6].map { insistence.signalled(at: start + .seconds($0)) }
        #expect(insists == [false, true])
    }

    @Test(
        arguments: [
            (["run", "true"], [SIGINT, SIGTERM]),
            (["run", "-t", "sh"], [SIGINT, SIGTERM, SIGWINCH]),
            (["run", "-d", "true"], []),
            (["run", "-dt", "sh"], []),
            (["publish", "a/b"], [SIGINT, SIGTERM]),
            (["publish", "a/b", "--", "make"], [SIGINT, SIGTERM, SIGHUP, SIGQUIT]),
            (["attach", "a/b"], []),
            (["wait", "a/b"], []),
        ] as [([String], [Int32])]
    )
    func `a command takes only the signals that it has something to do at`(
        words: [String],
        signals: [Int32],
    ) {
        #expect(Program.blockedSignals(for: words) == signals)
    }
}
