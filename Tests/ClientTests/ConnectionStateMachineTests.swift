import ExecModel
import Testing
import Wire

@testable import ExecClient

@Suite struct ConnectionStateMachineTests {
    typealias Machine = ClientConnection.StateMachine

    @Test func `calls wait for the greeting`() {
        var machine = Machine()
        #expect(machine.isConnecting && !machine.isOpen)
        let hello = machine.connected()
        #expect(hello == 1)
        #expect(!machine.isOpen)
        #expect(machine.received(.response, on: hello) == .greeted)
        machine.accepted()
        #expect(machine.isOpen)
    }

    @Test func `data in place of a greeting breaks the rules`() {
        var machine = Machine()
        let hello = machine.connected()
        #expect(
            machine.received(.data(hasMessage: true, isLast: false), on: hello) == .violation(hello)
        )
    }

    @Test func `ids are odd and not used twice`() {
        var machine = Self.open()
        let ids = (0..<100).map { _ in machine.begin(.unary) }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0 % 2 == 1 && $0 > 1 })
    }

    @Test func `a response ends a call, and what follows is ignored`() {
        var machine = Self.open()
        let id = machine.begin(.unary)
        #expect(machine.received(.response, on: id) == .response(id))
        #expect(machine.received(.response, on: id) == .ignore)
        #expect(machine.received(.data(hasMessage: true, isLast: false), on: id) == .ignore)
    }

    @Test(arguments: [MethodShape.unary, .clientStream])
    func `a call with one answer takes no stream`(shape: MethodShape) {
        var machine = Self.open()
        let id = machine.begin(shape)
        #expect(machine.received(.data(hasMessage: true, isLast: false), on: id) == .violation(id))
        #expect(machine.received(.response, on: id) == .ignore)
    }

    @Test(arguments: [MethodShape.serverStream, .bidirectional])
    func `a stream ends with its own frame, or with its last message`(shape: MethodShape) {
        var machine = Self.open()
        let id = machine.begin(shape)
        let more = Machine.Received.data(hasMessage: true, isLast: false)
        #expect(machine.received(more, on: id) == .message(id, thenEnd: false))
        #expect(machine.received(.data(hasMessage: false, isLast: false), on: id) == .ignore)
        #expect(machine.received(.data(hasMessage: false, isLast: true), on: id) == .end(id))
        #expect(machine.received(more, on: id) == .ignore)
        let other = machine.begin(shape)
        let last = Machine.Received.data(hasMessage: true, isLast: true)
        #expect(machine.received(last, on: other) == .message(other, thenEnd: true))
        #expect(machine.received(.response, on: other) == .ignore)
    }

    @Test func `frames of unknown kinds and ids are ignored`() {
        var machine = Self.open()
        let id = machine.begin(.bidirectional)
        #expect(machine.received(.other, on: id) == .ignore)
        #expect(machine.received(.response, on: 2) == .ignore)
        #expect(machine.received(.response, on: 999) == .ignore)
        #expect(machine.maySend(on: id))
    }

    @Test func `a half-close is sent once`() {
        var machine = Self.open()
        let id = machine.begin(.bidirectional)
        #expect(machine.finishSending(on: id) == true)
        #expect(machine.finishSending(on: id) == false)
        #expect(!machine.maySend(on: id))
        let unary = machine.begin(.unary)
        #expect(machine.finishSending(on: unary) == false)
        #expect(machine.finishSending(on: 999) == false)
    }

    @Test func `an abandoned stream is silent until it ends`() {
        var machine = Self.open()
        let id = machine.begin(.bidirectional)
        #expect(machine.abandon(id) == true)
        #expect(machine.hasOnlyAbandonedStreams)
        #expect(machine.received(.data(hasMessage: true, isLast: false), on: id) == .ignore)
        #expect(machine.received(.data(hasMessage: false, isLast: true), on: id) == .ignore)
        #expect(!machine.hasOnlyAbandonedStreams)
    }

    @Test func `a connection that somebody uses is kept`() {
        var machine = Self.open()
        let session = machine.begin(.bidirectional)
        let call = machine.begin(.unary)
        _ = machine.abandon(session)
        #expect(!machine.hasOnlyAbandonedStreams)
        #expect(machine.received(.response, on: call) == .response(call))
        #expect(machine.hasOnlyAbandonedStreams)
    }

    @Test func `an abandoned unary call does not cost the connection`() {
        var machine = Self.open()
        let call = machine.begin(.unary)
        #expect(machine.abandon(call) == false)
        #expect(!machine.hasOnlyAbandonedStreams)
        #expect(machine.received(.response, on: call) == .ignore)
    }

    @Test func `a loss tells those who wait, the oldest first`() {
        var machine = Self.open()
        let ids = [MethodShape.unary, .bidirectional, .serverStream].map { machine.begin($0) }
        _ = machine.abandon(ids[1])
        #expect(machine.lost() == [ids[0], ids[2]])
        #expect(machine.isClosed)
        #expect(machine.lost() == [])
        #expect(machine.received(.response, on: ids[0]) == .ignore)
    }

    private static func open() -> Machine {
        var machine = Machine()
        _ = machine.received(.response, on: machine.connected())
        machine.accepted()
        return machine
    }
}
