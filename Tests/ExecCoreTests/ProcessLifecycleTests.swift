import ExecModel
import Kernel
import Testing

@testable import ExecCore

@Suite("The life of a process, as a value")
struct ProcessLifecycleTests {
    typealias Event = ProcessLifecycle.Event
    typealias Action = ProcessLifecycle.Action

    /// What happens to it, and the exit that is told then.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let events: [Event]
        let exit: Exit

        var testDescription: String { name }
    }

    private static func ended(_ code: Int32) -> ProcessEnding { .ended(ProcessEnd(code: code)) }

    private static func killed(_ signal: Int32, limit: String? = nil) -> ProcessEnding {
        .ended(ProcessEnd(code: nil, signal: signal), limit: limit)
    }

    private static let closed: [Event] = [.streamAtEnd(.stdout), .streamAtEnd(.stderr)]
    private static let stop = Event.stop(.client, grace: .seconds(10))

    private static func exit(
        _ code: Int32,
        _ reason: ExitReason,
        _ cause: StopCause = .unspecified,
        signal: Int32 = 0,
        message: String = "",
        drained: Bool = true,
    ) -> Exit {
        Exit(
            code: code,
            reason: reason,
            cause: cause,
            signal: signal,
            message: message,
            drained: drained
        )
    }

    private static let forced = "it had not ended when its grace was over, and was killed"
    private static let leftKilled = "what it had left running was killed"

    static let rows = [
        Row(
            name: "ends, and its pipes had ended before",
            events: closed + [.gone(ended(3), isAlone: true)],
            exit: exit(3, .natural)
        ),
        Row(
            name: "ends, and its pipes end later",
            events: [.gone(ended(0), isAlone: true)] + closed,
            exit: exit(0, .natural)
        ),
        Row(
            name: "ends, and somebody holds a pipe for too long",
            events: [
                .streamAtEnd(.stderr), .gone(ended(0), isAlone: true), .passed(.drain),
            ],
            exit: exit(0, .natural, drained: false)
        ),
        Row(
            name: "is killed by somebody else",
            events: closed + [.gone(killed(9), isAlone: true)],
            exit: exit(137, .signal, signal: 9)
        ),
        Row(
            name: "is killed for its memory",
            events: closed + [.gone(killed(9, limit: "memory"), isAlone: true)],
            exit: exit(
                137,
                .signal,
                .limit,
                signal: 9,
                message: "the kernel killed it: it passed its limit of memory"
            )
        ),
        Row(
            name: "traps the stop signal and ends by itself",
            events: [stop, .gone(ended(0), isAlone: true)] + closed,
            exit: exit(0, .natural, .client)
        ),
        Row(
            name: "ends by the stop signal",
            events: [stop] + closed + [.gone(killed(15), isAlone: true)],
            exit: exit(143, .signal, .client, signal: 15)
        ),
        Row(
            name: "ignores the stop signal",
            events: [stop, .passed(.grace)] + closed + [.gone(killed(9), isAlone: true)],
            exit: exit(137, .forcedKill, .client, signal: 9, message: forced)
        ),
        Row(
            name: "is killed by somebody else within its grace",
            events: [stop] + closed + [.gone(killed(9), isAlone: true)],
            exit: exit(137, .signal, .client, signal: 9)
        ),
        Row(
            name: "passes its timeout",
            events: [.passed(.timeout), .gone(ended(0), isAlone: true)] + closed,
            exit: exit(0, .natural, .timeout)
        ),
        Row(
            name: "is stopped for two reasons, and keeps the first",
            events: [.passed(.timeout), stop, .gone(ended(1), isAlone: true)] + closed,
            exit: exit(1, .natural, .timeout)
        ),
        Row(
            name: "is stopped again without grace",
            events: [stop, .stop(.shutdown, grace: .zero)] + closed
                + [.gone(killed(9), isAlone: true)],
            exit: exit(137, .forcedKill, .client, signal: 9, message: forced)
        ),
        Row(
            name: "is stopped, and its exit waits for its offspring",
            events: [stop, .gone(ended(0), isAlone: false)] + closed + [.alone],
            exit: exit(0, .natural, .client)
        ),
        Row(
            name: "is stopped, and its offspring ignores that",
            events: [stop, .gone(ended(0), isAlone: false), .passed(.grace)] + closed + [.alone],
            exit: exit(0, .natural, .client, message: leftKilled)
        ),
        Row(
            name: "is stopped, and its offspring can't be ended",
            events: [stop, .gone(ended(0), isAlone: false), .passed(.grace)] + closed
                + [.passed(.drain)],
            exit: exit(
                0,
                .natural,
                .client,
                message: "\(leftKilled); some of what it had left running could not be ended"
            )
        ),
        Row(
            name: "is stopped when it has ended, but not what holds its pipes",
            events: [.gone(ended(4), isAlone: true), stop, .alone] + closed,
            exit: exit(4, .natural)
        ),
        Row(
            name: "can't be observed",
            events: closed + [.gone(.unknown("why"), isAlone: true)],
            exit: exit(255, .runtimeError, message: "why")
        ),
    ]

    private func make() -> ProcessLifecycle {
        ProcessLifecycle(
            command: Command(["x"]),
            defaults: RegistryConfiguration(stateDirectory: "/nowhere")
        )
    }

    @Test("tells each exit once, and as the last thing", arguments: rows)
    func exits(row: Row) {
        var life = make()
        var told: [Exit] = []
        for (index, event) in row.events.enumerated() {
            for action in life.handle(event) {
                guard case .tellExit(let exit) = action else { continue }
                told.append(exit)
                #expect(index == row.events.count - 1)
            }
        }
        #expect(told == [row.exit])
        // Whatever comes late changes nothing.
        for event in row.events + [.alone, .passed(.drain), .passed(.grace), .frozen] {
            let late = life.handle(event).contains { action in
                if case .tellExit = action { true } else { false }
            }
            #expect(!late)
        }
    }

    @Test("asks the group first, then whom it had left behind, and kills both after the grace")
    func escalation() {
        var life = make()
        #expect(
            life.handle(Self.stop) == [
                .disarm(.timeout), .tellStopping, .noteOffspring, .signalGroup(15),
                .hangUp(whereIgnored: 15), .arm(.grace, .seconds(10)),
            ]
        )
        #expect(
            life.handle(.gone(Self.ended(0), isAlone: false)) == [
                .disarm(.timeout), .tellEnded(code: 0, signal: 0),
                .signalOffspring(15, sparingGroup: true),
                .awaitOffspring,
            ]
        )
        #expect(
            life.handle(.passed(.grace)) == [
                .disarm(.grace), .killOffspring, .arm(.drain, .seconds(2)),
            ]
        )
    }

    @Test("is let go on where it is frozen and is to stop, with the signal waiting for it")
    func stopWhilePaused() {
        var life = make()
        #expect(life.handle(.frozen) == [.tellPaused])
        #expect(life.handle(.frozen) == [])
        #expect(
            life.handle(Self.stop) == [
                .disarm(.timeout), .tellStopping, .noteOffspring, .signalGroup(15),
                .hangUp(whereIgnored: 15), .thaw, .tellResumed, .arm(.grace, .seconds(10)),
            ]
        )
        #expect(!life.isPaused)
        #expect(!life.mayPause)
        #expect(life.handle(.frozen) == [])
    }

    @Test("ends what an exec has left running when it is stopped after its exit")
    func stopAfterExit() {
        var life = make()
        for event in Self.closed { _ = life.handle(event) }
        _ = life.handle(.gone(Self.ended(0), isAlone: true))
        #expect(life.handle(Self.stop) == [.killOffspring, .awaitOffspring])
    }
}
