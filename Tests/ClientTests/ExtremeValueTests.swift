import Kernel
import Testing
import Wire

@testable import ExecClient

/// Every number of a server's messages may be any number.
@Suite(.timeLimit(.minutes(1))) struct ExtremeValueTests {
    static let unsigned: [UInt64] = [
        0, 1, 2, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, .max - 1, .max,
    ]
    static var signed: [Int64] { unsigned.map { Int64(bitPattern: $0) } }

    /// What a hostile server says on a session; each begins after a Ready.
    static var messages: [SessionResponse] {
        var messages: [SessionResponse] = []
        for number in unsigned {
            let small = UInt32(truncatingIfNeeded: number)
            let time = Int64(bitPattern: number)
            for other in unsigned {
                messages.append(.gap(gap(number, other)))
                messages.append(.gap(gap(1, 5, number, other)))
                messages.append(.gap(gap(6, 9, number, other)))
                messages.append(output(number, offset: other, unixNS: time))
                messages.append(exit(number, stdout: other, stderr: number, unixNS: time))
            }
            messages.append(
                .ended(Ended(code: Int32(bitPattern: small), signal: -1, unixNS: time))
            )
            messages.append(.stdinCredit(number))
            messages.append(.state(.paused, unixNS: time))
            messages.append(.resized(WindowSize(rows: small, columns: .max)))
            messages.append(ready(number))
        }
        return messages
    }

    @Test func `a session takes any of them, twice in a row, wherever it began`() throws {
        let froms: [View.From] = [
            .start, .live, .after(sequence: 5), .after(sequence: .max), .tail(bytes: 10),
        ]
        for from in froms {
            for last in [0, 5, UInt64.max] {
                for first in Self.messages {
                    try Self.drive(from, lastSequence: last, [first, first])
                }
            }
        }
    }

    @Test func `a session takes a gap after any other message`() throws {
        let gaps = Self.unsigned.map { Self.gap(1, 3, $0, .max) }
        for message in Self.messages {
            for gap in gaps { try Self.drive(.start, lastSequence: 0, [.gap(gap), message]) }
        }
    }

    /// Feeds a session's machine, and comes back after a break.
    private static func drive(
        _ from: View.From,
        lastSequence: UInt64,
        _ messages: [SessionResponse],
    ) throws {
        var view = View()
        view.from = from
        var machine = SessionDriver.StateMachine(view: view, resumeLimit: .seconds(1))
        _ = machine.starting()
        _ = try machine.ready(lastSequence: lastSequence, window: nil, hasExited: false)
        var stdin = StdinQueue()
        var news: [Gap] = []
        for message in messages {
            do throws(ExecError) {
                switch message {
                case .ready(let ready):
                    _ = try machine.ready(
                        lastSequence: ready.lastSequence,
                        window: ready.info.window,
                        hasExited: false,
                    )
                case .output(let output):
                    _ = try machine.output(
                        sequence: output.sequence,
                        offset: output.offset,
                        stream: output.stream,
                        count: output.bytes.count,
                    )
                case .gap(let gap): if let gap = try machine.gap(gap) { news.append(gap) }
                case .ended: _ = try machine.ended()
                case .state(let state, let unixNS):
                    _ = try machine.state(.init(state: state, unixNS: unixNS))
                case .resized(let size): try machine.resized(size)
                case .stdinCredit(let bytes): stdin.grant(bytes)
                case .exit(let exit): try machine.exit(exit)
                }
            } catch {
                #expect([.internalError, .dataLoss].contains(error.code))
                return
            }
        }
        let now = Instant(nanoseconds: 0)
        if case .retry = machine.lost(ExecError(.unavailable, ""), now: now) {
            _ = machine.starting()
        }
        if let first = news.first {
            var event = SessionEvent.gap(first)
            for gap in news.dropFirst() { _ = gap.merge(into: &event) }
        }
    }

    @Test func `a subscription takes any number of missed events, also when its consumer is slow`()
        async throws
    {
        let server = try FakeServer { event, peer in
            guard case .request(.containerLifecycle, _, let id) = event else { return }
            for number in 1...1010 {
                let info = ExecInfo(containerID: "c", execID: "e")
                let missed = Self.unsigned[number % Self.unsigned.count]
                peer.send(
                    LifecycleEvent(
                        sequence: UInt64(number),
                        unixNS: .min,
                        kind: .started,
                        info: info,
                        missed: number == 1010 ? .max : missed,
                    ),
                    on: id,
                )
            }
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        var count = 0
        for try await event in client.containerEvents() {
            count += 1
            if event.sequence == 1000 { break }
        }
        #expect(count >= 1000)
    }

    @Test func `states, sizes and gaps that nobody takes are one event of each kind`() async throws
    {
        let sent = 3000
        let server = try FakeServer { event, peer in
            if case .request(.execList, _, let id) = event {
                return peer.respond(ExecListResponse(execs: []), on: id)
            }
            guard let (_, id) = event.start else { return }
            peer.send(SessionTests.ready, on: id)
            for number in 1...UInt64(sent) {
                peer.send(SessionResponse.state(.running, unixNS: Int64(number)), on: id)
                let size = WindowSize(rows: UInt32(number), columns: 1)
                peer.send(SessionResponse.resized(size), on: id)
                peer.send(SessionResponse.gap(Self.gap(number, number)), on: id)
            }
            peer.send(SessionTests.exit(last: UInt64(sent), out: 0, err: 0), on: id)
            peer.end(id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let session = client.attach(try ExecKey(container: "c", exec: "e"))
        var events = session.events.makeAsyncIterator()
        // Answered in order, so all the session's messages have come by then.
        _ = try? await client.list()
        var kinds: [String] = []
        while let event = try await events.next(isolation: nil) {
            switch event {
            case .gap(let gap): kinds.append("gap \(gap.lastSequence)")
            case .state(let change): kinds.append("state \(change.unixNS)")
            case .resized(let size): kinds.append("size \(size.rows)")
            default: break
            }
        }
        #expect(kinds.contains("gap \(sent)") && kinds.contains("size \(sent)"))
        #expect(kinds.count < sent)
    }

    @Test func `an empty chunk is an error, since no window bounds how many wait`() async throws {
        let server = try FakeServer { event, peer in
            guard let (_, id) = event.start else { return }
            peer.send(SessionTests.ready, on: id)
            peer.send(SessionTests.chunk(1, at: 0, ""), on: id)
        }
        defer { server.stop() }
        let client = try ExecClient(address: server.address)
        defer { client.close() }
        let key = try ExecKey(container: "c", exec: "e")
        let error = await #expect(throws: ExecError.self) { try await client.attach(key).exit() }
        #expect(error?.code == .internalError)
    }

    private static func gap(
        _ first: UInt64,
        _ last: UInt64,
        _ stdout: UInt64 = 0,
        _ stderr: UInt64 = 0,
    ) -> Gap {
        Gap(firstSequence: first, lastSequence: last, stdoutBytes: stdout, stderrBytes: stderr)
    }

    private static func output(
        _ sequence: UInt64,
        offset: UInt64,
        unixNS: Int64,
    ) -> SessionResponse {
        .output(
            Output(
                sequence: sequence,
                offset: offset,
                unixNS: unixNS,
                replay: true,
                stream: .stderr,
                bytes: [1, 2],
            )
        )
    }

    private static func exit(
        _ last: UInt64,
        stdout: UInt64,
        stderr: UInt64,
        unixNS: Int64,
    ) -> SessionResponse {
        .exit(
            Exit(
                code: Int32(truncatingIfNeeded: last),
                reason: .natural,
                signal: Int32(truncatingIfNeeded: stdout),
                lastSequence: last,
                stdoutBytes: stdout,
                stderrBytes: stderr,
                startedUnixNS: unixNS,
                finishedUnixNS: .min,
            )
        )
    }

    private static func ready(_ number: UInt64) -> SessionResponse {
        let info = ExecInfo(containerID: "c", execID: "e")
        return .ready(
            Ready(info: info, firstSequence: number, lastSequence: number, stdinCredit: number)
        )
    }
}
