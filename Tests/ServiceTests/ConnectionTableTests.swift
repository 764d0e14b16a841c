import Kernel
import Testing

@testable import ExecServer

@Suite("The places of connections") struct ConnectionTableTests {
    private final class Peer {
        let name: String
        init(_ name: String) { self.name = name }
    }

    private typealias Table = ConnectionTable<Peer>

    private func table(admitted: Int, unauthenticated: Int) -> Table {
        Table(Table.Limits(admittedMax: admitted, unauthenticatedMax: unauthenticated))
    }

    private func network(_ number: Int) -> PeerNetwork {
        PeerNetwork(ofPeer: "tcp:10.0.\(number / 256).\(number % 256):99")
    }

    /// Who makes way for a newcomer; nil: nobody.
    private func displaced(_ verdict: Table.Verdict) throws -> Peer? {
        guard case .placed(let displaced) = verdict else { throw Unexpected("it was refused") }
        return displaced
    }

    private func isRefused(_ verdict: Table.Verdict) -> Bool {
        if case .refused = verdict { true } else { false }
    }

    @Test("of one network: its oldest unauthenticated connection makes way for its newest")
    func oldestOfNetwork() throws {
        var table = table(admitted: 10, unauthenticated: 32)
        let peers = (0..<5).map { Peer("p\($0)") }
        // A sixteenth of 32.
        for peer in peers[..<2] {
            #expect(try displaced(table.add(peer, from: .tcp(network(1)))) == nil)
        }
        #expect(try displaced(table.add(peers[2], from: .tcp(network(1)))) === peers[0])
        #expect(table.authenticate(peers[1]) == true)
        #expect(try displaced(table.add(peers[3], from: .tcp(network(1)))) == nil)
        #expect(try displaced(table.add(peers[4], from: .tcp(network(1)))) === peers[2])
    }

    @Test("that are all taken: the oldest of the network that has the most makes way")
    func oldestOfLargest() throws {
        var table = table(admitted: 10, unauthenticated: 48)
        let honest = Peer("honest")
        #expect(try displaced(table.add(honest, from: .tcp(network(0)))) == nil)
        for number in 1...15 {
            for _ in 0..<3 {
                #expect(try displaced(table.add(Peer("x"), from: .tcp(network(number)))) == nil)
            }
        }
        for number in 16...17 {
            #expect(try displaced(table.add(Peer("x"), from: .tcp(network(number)))) == nil)
        }
        for number in 100..<120 {
            let gone = try displaced(table.add(Peer("new"), from: .tcp(network(number))))
            #expect(gone?.name == "x")
        }
        #expect(table.authenticate(honest) == true)
    }

    @Test("of loopback are half of them, whatever the addresses, and those of IPv6 go by 64 bits")
    func networks() throws {
        var table = table(admitted: 10, unauthenticated: 32)
        for number in 0..<16 {
            let peer = "tcp:127.0.\(number).\(number):\(number)"
            let verdict = table.add(Peer("l"), from: .tcp(PeerNetwork(ofPeer: peer)))
            #expect(try displaced(verdict) == nil)
        }
        let other = PeerNetwork(ofPeer: "tcp:[::1]:7")
        #expect(try displaced(table.add(Peer("l"), from: .tcp(other))) != nil)
        let (one, two) = ("tcp:[2001:db8::1]:1", "tcp:[2001:db8::ff:2]:2")
        #expect(PeerNetwork(ofPeer: one) == PeerNetwork(ofPeer: two))
        #expect(PeerNetwork(ofPeer: "unix:pid=3,uid=7").name == "unix:uid=7")
        #expect(PeerNetwork(ofPeer: "tcp:[::ffff:127.0.0.1]:1").isLoopback)
    }

    @Test("of Unix peers and of authenticated clients are none of the others'")
    func kinds() throws {
        var table = table(admitted: 2, unauthenticated: 16)
        for number in 0..<1_000 {
            _ = table.add(Peer("x"), from: .tcp(network(number % 40)))
            if number % 10 == 9 { for peer in table.all { table.remove(peer) } }
        }
        for number in 0..<16 { _ = table.add(Peer("x"), from: .tcp(network(number))) }
        let (a, b) = (Peer("a"), Peer("b"))
        #expect(try displaced(table.add(a, from: .unix)) == nil)
        #expect(try displaced(table.add(b, from: .unix)) == nil)
        #expect(isRefused(table.add(Peer("c"), from: .unix)))
        table.remove(a)
        #expect(try displaced(table.add(Peer("c"), from: .unix)) == nil)
        let clients = (0..<3).map { Peer("t\($0)") }
        for (number, client) in clients.enumerated() {
            _ = table.add(client, from: .tcp(network(200 + number)))
            #expect(table.authenticate(client) == (number < 2))
        }
        table.remove(clients[0])
        #expect(table.authenticate(clients[2]) == true)
    }

    @Test("that were given up and not closed yet are bounded too")
    func displacedBound() throws {
        var table = table(admitted: 10, unauthenticated: 16)
        for _ in 0...Table.displacedMax {
            #expect(!isRefused(table.add(Peer("x"), from: .tcp(network(1)))))
        }
        #expect(isRefused(table.add(Peer("x"), from: .tcp(network(1)))))
        for peer in table.all { table.remove(peer) }
        #expect(table.isEmpty)
        #expect(try displaced(table.add(Peer("x"), from: .tcp(network(1)))) == nil)
    }
}

@Suite("Answers to wrong tokens that are held back") struct HeldAnswersTests {
    @Test("are so many of a network, so many of all, and are given back")
    func bounds() {
        var held = HeldAnswers()
        let network = { (number: Int) in PeerNetwork(ofPeer: "tcp:10.0.0.\(number):1") }
        for _ in 0..<HeldAnswers.ofNetworkMax { #expect(held.hold(network(1)) == true) }
        #expect(held.hold(network(1)) == false)
        held.release(network(1))
        #expect(held.hold(network(1)) == true)
        for number in 2...16 {
            for _ in 0..<HeldAnswers.ofNetworkMax { #expect(held.hold(network(number)) == true) }
        }
        #expect(held.hold(network(99)) == false)
        held.release(network(5))
        #expect(held.hold(network(99)) == true)
    }
}

@Suite("Lines that peers cause") struct LineLimiterTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test("are so many in a while, and the rest is a number that is told once")
    func window() {
        var limiter = LineLimiter()
        for _ in 0..<3 { #expect(limiter.add("a", max: 3, at: start) == .write) }
        #expect(limiter.add("a", max: 3, at: start) == .leaveOutFirst)
        for _ in 0..<9 { #expect(limiter.add("a", max: 3, at: start) == .leaveOut) }
        #expect(limiter.add("b", max: 3, at: start) == .write)
        #expect(limiter.takeLeftOut("a") == 10)
        #expect(limiter.takeLeftOut("a") == 0)
        #expect(limiter.add("a", max: 3, at: start + .seconds(11)) == .write)
    }

    @Test("are bounded over all, and their keys are, too; nothing that was left out is lost")
    func bounds() {
        var limiter = LineLimiter()
        var written = 0
        for number in 0..<5_000 {
            let key = limiter.key("n\(number)", at: start)
            if limiter.add(key, max: 16, at: start) == .write { written += 1 }
        }
        #expect(written == LineLimiter.totalMax)
        #expect(limiter.keyCount <= LineLimiter.keysMax + 1)
        #expect(limiter.takeAllLeftOut().map(\.count).reduce(0, +) == 5_000 - written)
        let later = start + .seconds(20)
        #expect(limiter.key("fresh", at: later) == "fresh")
        #expect(limiter.add("fresh", max: 16, at: later) == .write)
    }
}
