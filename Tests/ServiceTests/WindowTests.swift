import ExecClient
import ExecCore
import ExecModel
import Testing
import Wire

/// Windows in messages: what a client may be sent that can hold only so many, whatever their size.
@Suite("A window of messages", .timeLimit(.minutes(2)))
struct WindowTests {
    /// How many messages of stream 3 the server has to send now, but for Ready and the exit.
    ///
    /// Answers to calls go before streams: what a stream had when the first call came is there when
    /// the second is answered.
    private func count(_ client: RawClient, call id: UInt32) throws -> (messages: Int, ended: Bool)
    {
        var messages = 0
        var ended = false
        for _ in 0..<2 {
            try client.open("ExecList", ExecListRequest(containerID: "nobody").encode(), id: id)
            while true {
                let frame = try client.next()
                if frame.header.streamID == id { break }
                guard frame.header.streamID == 3 else { continue }
                guard frame.header.type == .data, !frame.isEnd else {
                    ended = true
                    continue
                }
                switch try SessionResponse.decode(frame.payload.span.bytes) {
                case .ready, .exit: break
                default: messages += 1
                }
            }
        }
        return (messages, ended)
    }

    @Test("bounds chunks of one byte, whether they come from memory or from the log")
    func chunks() async throws {
        try await Service.run { service in
            let instance = try service.registry.register(ExecKey(container: "a", exec: "b"))
            var view = View()
            view.windowChunks = 60
            let client = try RawClient(service)
            try client.start(Start(containerID: "a", execID: "b", view: view), id: 3)
            let byte: [UInt8] = [120]
            for _ in 0..<1_000 { instance.stdout.write(byte.span.bytes) }
            var got = try count(client, call: 5).messages
            while got < 60 { got += try count(client, call: 5).messages }
            #expect(got == 60)
            instance.finish(code: 7)
            #expect(try count(client, call: 5).messages == 0)
            try client.send(SessionRequest.credit(0, chunks: 7), id: 3)
            #expect(try count(client, call: 5).messages == 7)
            // Bytes are no messages.
            try client.send(SessionRequest.credit(1 << 40), id: 3)
            #expect(try count(client, call: 5).messages == 0)
            try client.send(SessionRequest.credit(0, chunks: .max), id: 3)
            var ended = false
            got = 67
            while !ended {
                let more = try count(client, call: 5)
                got += more.messages
                ended = more.ended
            }
            #expect(got == 1_000)
        }
    }

    @Test("bounds resizes by other clients and stdin credit, and the exit needs none")
    func otherMessages() async throws {
        try await Service.run { service in
            let owner = try RawClient(service)
            var command = Command(["cat"])
            command.terminal = Terminal(size: .standard)
            try owner.start(Start(containerID: "a", execID: "b", command: command), id: 3)
            _ = try owner.next()
            var view = View()
            view.windowChunks = 2
            view.from = .live
            let client = try RawClient(service)
            try client.start(Start(containerID: "a", execID: "b", view: view), id: 3)
            _ = try count(client, call: 5)
            var got = 0
            for rows in 1...40 as ClosedRange<UInt32> {
                let size = WindowSize(rows: rows, columns: 80)
                try owner.send(SessionRequest.resize(size), id: 3)
                // Its own answer to that: the resize has been told by then.
                while true {
                    let frame = try owner.next()
                    guard frame.header.type == .data,
                        case .resized(size) = try SessionResponse.decode(
                            frame.payload.span.bytes
                        )
                    else { continue }
                    break
                }
                got += try count(client, call: 5).messages
            }
            #expect(got == 2)
            try client.send(SessionRequest.credit(0, chunks: 1), id: 3)
            // The newest size, and no other.
            var frame = try client.next()
            while frame.header.streamID != 3 { frame = try client.next() }
            let newest = WindowSize(rows: 40, columns: 80)
            #expect(try SessionResponse.decode(frame.payload.span.bytes) == .resized(newest))
            try owner.send(SessionRequest.signal(SignalRequest(9)), id: 3)
            #expect(try client.session(3).exit?.signal == 9)
        }
    }

    @Test(
        "of the Swift client lets everything through, however small it is",
        arguments: [1, 2, 60]
    )
    func client(_ window: UInt64) async throws {
        try await Service.run { service in
            let instance = try service.registry.register(ExecKey(container: "a", exec: "b"))
            try await service.withClient { client in
                var view = View()
                view.windowChunks = window
                let session = client.attach(try ExecKey(container: "a", exec: "b"), view: view)
                var iterator = session.events.makeAsyncIterator()
                _ = try await iterator.next(isolation: nil)
                let byte: [UInt8] = [120]
                for _ in 0..<500 { instance.stdout.write(byte.span.bytes) }
                instance.finish(code: 7)
                let said = try await iterator.rest()
                #expect(said.bytes().count == 500)
                #expect(said.exit?.code == 7)
            }
        }
    }
}
