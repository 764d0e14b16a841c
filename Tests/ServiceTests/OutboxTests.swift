import Testing

@testable import ExecServer

@Suite("Bytes that wait to be written")
struct OutboxTests {
    @Test("come out in order, whatever is taken, put back and added")
    func order() {
        var outbox = Outbox()
        var model: [UInt8] = []
        var state: UInt32 = 1
        func below(_ bound: Int) -> Int {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int(state >> 8) % bound
        }
        for step in 0..<3_000 {
            switch below(3) {
            case 0:
                let more = (0..<below(step % 100 == 0 ? 300_000 : 3_000)).map { UInt8($0 & 255) }
                outbox.append(more)
                model += more
            default:
                let count = min(outbox.count, 1 + below(16_384))
                var taken: [UInt8] = []
                outbox.take(count) { span in taken = span.withUnsafeBytes { Array($0) } }
                #expect(taken == Array(model.prefix(count)))
                model.removeFirst(count)
                guard below(3) == 0 else { continue }
                var rest = Array(taken.suffix(below(count + 1)))
                if below(5) == 0 { rest += [1, 2, 3] }
                outbox.putBack(rest)
                model = rest + model
            }
            #expect(outbox.count == model.count)
        }
        outbox.removeAll()
        #expect(outbox.isEmpty)
    }
}
