import ExecModel
import Testing
import Wire

@testable import ExecClient

@Suite struct CreditWindowTests {
    @Test func `credit is granted half a window at a time`() throws {
        var window = CreditWindow(windowBytes: 1 << 20)
        try window.delivered(700_000)
        #expect(window.consumed(500_000) == false)
        #expect(window.consumed(100_000) == true)
        #expect(window.consumed(1000) == false)
        #expect(window.takeCredit() == .init(bytes: 601_000))
        #expect(window.takeCredit() == .init())
        #expect(window.unconsumed.bytes == 99_000)
    }

    @Test(arguments: [1, 1000, 65536, 65537, 100_000, 200_000])
    func `a server that sends whole chunks only never waits for ever`(size: UInt64) throws {
        var window = CreditWindow(windowBytes: size)
        var allowance = Int(size)
        let chunk = min(65536, Int(size))
        for _ in 0..<100 {
            while allowance >= chunk {
                try window.delivered(chunk)
                allowance -= chunk
            }
            while window.unconsumed.bytes > 0 {
                if window.consumed(chunk) { allowance += Int(window.takeCredit().bytes) }
            }
            #expect(allowance >= chunk)
        }
    }

    @Test func `a new view gets what the caller has not left unread`() throws {
        var window = CreditWindow(windowBytes: 1000)
        try window.delivered(900)
        _ = window.consumed(300)
        #expect(window.resumed() == .init(bytes: 400))
        #expect(window.takeCredit() == .init())
        try window.delivered(400)
        #expect(window.resumed() == .init(bytes: 1))
    }

    @Test func `messages of any size are granted half a window at a time`() throws {
        var window = CreditWindow(windowBytes: 1 << 20, windowChunks: 10)
        for _ in 0..<7 { try window.delivered(1) }
        for _ in 0..<3 { #expect(window.consumed(1) == false) }
        #expect(window.acknowledged() == false)
        #expect(window.consumed(1) == true)
        #expect(window.takeCredit() == .init(bytes: 4, chunks: 5))
        #expect(window.resumed() == .init(bytes: (1 << 20) - 3, chunks: 7))
        var least = CreditWindow(windowBytes: 1, windowChunks: 1)
        #expect(least.acknowledged() == true)
        var unlimited = CreditWindow(windowBytes: 1 << 20)
        for _ in 0..<1_000 { #expect(unlimited.acknowledged() == false) }
        #expect(unlimited.takeCredit() == .init())
    }

    @Test func `a server far beyond its credit of messages is an error`() throws {
        var window = CreditWindow(windowBytes: 1 << 20, windowChunks: 16_384)
        for _ in 0..<65_536 { try window.delivered(1) }
        #expect(throws: ExecError.self) { try window.delivered(1) }
        var wide = CreditWindow(windowBytes: 1 << 20, windowChunks: 100_000)
        for _ in 0..<200_000 { try wide.delivered(1) }
        #expect(throws: ExecError.self) { try wide.delivered(1) }
        var unlimited = CreditWindow(windowBytes: 1 << 20)
        for _ in 0..<200_000 { try unlimited.delivered(1) }
    }

    @Test func `a server far beyond its credit is an error`() throws {
        var window = CreditWindow(windowBytes: 1000)
        try window.delivered(4 << 20)
        #expect(throws: ExecError.self) { try window.delivered(1000) }
    }
}

@Suite struct BackoffTests {
    @Test func `attempts become rare, and end at the limit`() {
        var backoff = Backoff(limit: .seconds(30))
        let delays = (0..<7).map { _ in backoff.next(elapsed: .zero) }
        let expected = [50, 100, 200, 400, 800, 1000, 1000].map { Duration.milliseconds($0) }
        #expect(delays == expected)
        #expect(backoff.next(elapsed: .milliseconds(29_700)) == .milliseconds(300))
        #expect(backoff.next(elapsed: .seconds(30)) == nil)
        var never = Backoff(limit: .zero)
        #expect(never.next(elapsed: .zero) == nil)
    }
}

@Suite struct StdinQueueTests {
    @Test func `no more goes than there is credit for`() {
        var queue = StdinQueue()
        queue.append([1, 2, 3, 4, 5], done: Promise())
        queue.appendEnd(done: Promise())
        #expect(queue.next() == nil)
        queue.attached(credit: 2, isTerminal: false)
        #expect(queue.next() == .bytes([1, 2]))
        #expect(queue.next() == nil)
        queue.grant(10)
        #expect(queue.next() == .bytes([3, 4, 5]))
        #expect(queue.next() == .end)
        #expect(queue.next() == nil)
    }

    @Test func `a long piece goes in several messages`() {
        var queue = StdinQueue()
        queue.attached(credit: 1 << 20, isTerminal: false)
        queue.append([UInt8](repeating: 1, count: 100_000), done: Promise())
        #expect(queue.next() == .bytes([UInt8](repeating: 1, count: 65536)))
        #expect(queue.next() == .bytes([UInt8](repeating: 1, count: 34464)))
        #expect(queue.next() == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a break after stdin was sent is told once`() async throws {
        var queue = StdinQueue()
        queue.attached(credit: 10, isTerminal: false)
        queue.append([1], done: Promise())
        #expect(queue.next() == .bytes([1]))
        queue.connectionBroke()
        #expect(queue.isUncertain)
        let told = Promise<Void>()
        queue.append([2], done: told)
        await #expect(throws: ExecError.self) { try await told.value {} }
        queue.append([3], done: Promise())
        // An attempt that came to nothing: none was sent since.
        queue.connectionBroke()
        #expect(queue.attached(credit: 10, isTerminal: false) == true)
        #expect(queue.next() == .bytes([3]))
    }

    @Test(.timeLimit(.minutes(1)))
    func `who has sent a part is told apart from who has sent nothing`() async throws {
        var queue = StdinQueue()
        queue.attached(credit: 2, isTerminal: false)
        let (begun, unsent) = (Promise<Void>(), Promise<Void>())
        queue.append([1, 2, 3], done: begun)
        queue.append([4], done: unsent)
        #expect(queue.next() == .bytes([1, 2]))
        queue.connectionBroke()
        let first = await #expect(throws: ExecError.self) { try await begun.value {} }
        #expect(first?.code == .aborted && first?.cause is StdinPartlySent)
        let second = await #expect(throws: ExecError.self) { try await unsent.value {} }
        #expect(second?.code == .aborted && second?.cause == nil)
    }

    @Test func `a break before any stdin costs nothing`() {
        var queue = StdinQueue()
        queue.attached(credit: 0, isTerminal: false)
        queue.append([1], done: Promise())
        queue.connectionBroke()
        queue.attached(credit: 5, isTerminal: false)
        #expect(queue.next() == .bytes([1]))
        #expect(!queue.isUncertain)
    }

    @Test(arguments: [[], [1]] as [[UInt8]])
    func `an end is repeated after each break, and bytes before it are told once`(bytes: [UInt8]) {
        var queue = StdinQueue()
        #expect(queue.attached(credit: 5, isTerminal: false) == false)
        queue.append(bytes, done: Promise())
        queue.appendEnd(done: Promise())
        if !bytes.isEmpty { #expect(queue.next() == .bytes(bytes)) }
        for round in 1...3 {
            #expect(queue.next() == .end)
            #expect(queue.next() == nil)
            queue.connectionBroke()
            let isUncertain = queue.attached(credit: 5, isTerminal: false)
            #expect(isUncertain == (round == 1 && !bytes.isEmpty))
        }
    }

    @Test func `an end that is typed at a terminal is not repeated, and told as bytes are`() {
        var queue = StdinQueue()
        queue.attached(credit: 5, isTerminal: true)
        queue.appendEnd(done: Promise())
        #expect(queue.next() == .end)
        queue.connectionBroke()
        #expect(queue.attached(credit: 5, isTerminal: true) == true)
        #expect(queue.next() == nil)
    }
}

@Suite struct WriteBufferTests {
    @Test func `bytes leave in order, however few are taken at a time`() {
        var buffer = WriteBuffer()
        var written: [UInt8] = []
        var expected: [UInt8] = []
        for round in 0..<200 {
            let bytes = (0..<round).map { UInt8(truncatingIfNeeded: $0 &+ round) }
            buffer.append(bytes)
            expected += bytes
            var calls = 0
            buffer.drain { span in
                calls += 1
                guard calls < 3 else { return nil }
                let count = min(span.byteCount, 40)
                span.extracting(first: count).withUnsafeBytes { written += $0 }
                return count
            }
        }
        buffer.drain { span in
            span.withUnsafeBytes { written += $0 }
            return span.byteCount
        }
        #expect(buffer.isEmpty)
        #expect(written == expected)
    }

    @Test func `streams wait above the bound`() {
        var buffer = WriteBuffer()
        #expect(buffer.hasRoom)
        buffer.append([UInt8](repeating: 0, count: WriteBuffer.roomBytesMax))
        #expect(!buffer.hasRoom)
    }
}

@Suite(.timeLimit(.minutes(1))) struct MailboxTests {
    @Test func `elements come in order, and then the end`() async throws {
        let mailbox = Mailbox<Int>()
        for number in 0..<100 { mailbox.put(number) }
        mailbox.finish(.failure(ExecError(.aborted, "")))
        for number in 0..<100 { #expect(try await mailbox.next() == number) }
        await #expect(throws: ExecError.self) { try await mailbox.next() }
    }

    @Test func `a consumer that waits is woken`() async throws {
        let mailbox = Mailbox<Int>()
        async let next = mailbox.next()
        mailbox.put(7)
        #expect(try await next == 7)
        async let end = mailbox.next()
        mailbox.finish(.success(()))
        #expect(try await end == nil)
    }

    @Test func `a cancelled consumer is told so`() async {
        let mailbox = Mailbox<Int>()
        let task = Task { try await mailbox.next() }
        task.cancel()
        await #expect(throws: ExecError.self) { try await task.value }
        // The mailbox itself goes on.
        mailbox.put(1)
        #expect(mailbox.count == 1)
    }

    @Test func `what waits may be merged with what comes`() async throws {
        let mailbox = Mailbox<Int>()
        mailbox.put(1)
        mailbox.put(2) { newest in
            newest += 2
            return .merged
        }
        #expect(mailbox.count == 1)
        mailbox.put(10)
        mailbox.put(4) { element in
            guard element == 3 else { return .lookFurther }
            element += 4
            return .merged
        }
        mailbox.put(5) { $0 == 10 ? .stop : .merged }
        for expected in [7, 10, 5] { #expect(try await mailbox.next() == expected) }
        #expect(mailbox.count == 0)
    }
}

@Suite struct ControlQueueTests {
    @Test func `of sizes only the newest waits, and the others' callers go on`() async throws {
        var queue = ControlQueue()
        let early = Promise<Void>()
        queue.append(.resize(WindowSize(rows: 1, columns: 1)), done: early)
        queue.append(.signal(SignalRequest(2)), done: Promise())
        for rows in 2...200 {
            queue.append(.resize(WindowSize(rows: UInt32(rows), columns: 1)), done: Promise())
        }
        try await early.value {}
        let messages = queue.takeAll().map(\.message)
        let newest = SessionRequest.resize(WindowSize(rows: 200, columns: 1))
        #expect(messages == [.signal(SignalRequest(2)), newest])
        #expect(queue.takeAll().isEmpty)
    }

    @Test func `more than it holds is refused`() async throws {
        var queue = ControlQueue()
        for _ in 0..<ControlQueue.countMax {
            queue.append(.signal(SignalRequest(2)), done: Promise())
        }
        let refused = Promise<Void>()
        queue.append(.signal(SignalRequest(2)), done: refused)
        let error = await #expect(throws: ExecError.self) { try await refused.value {} }
        #expect(error?.code == .resourceExhausted)
        #expect(queue.takeAll().count == ControlQueue.countMax)
    }
}
