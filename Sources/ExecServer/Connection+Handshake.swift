internal import ExecModel
internal import Kernel
internal import Wire

// The beginning of a connection under TLS. The time to authenticate bounds it, too. Its steps count for
// the time that peers without a token have of the loop: each asks for work with a private key.

extension Connection {
    /// Nothing can be read or written yet.
    var isHandshaking: Bool { socket.lend { $0.isHandshaking } ?? false }

    /// Goes on with the handshake, now or when its turn comes.
    func shakeHands() {
        guard let share else { return goOnShakingHands() }
        guard share.take(self) == nil else { return goOnShakingHands() }
        // It is in line: until its turn, what arrives is nothing to be told of.
        watch(for: [])
    }

    /// Does one step of the handshake; after the last, what came with it is read.
    func goOnShakingHands() {
        let begin = SystemClocks().now
        let wanted: Interest??
        do throws(TransportFailure) {
            wanted = try socket.lend { (socket) throws(TransportFailure) in
                try socket.handshake()
            }
        } catch {
            share?.spend(SystemClocks().now - begin)
            return refuse(error)
        }
        share?.spend(SystemClocks().now - begin)
        guard let done = wanted else { return }
        if let interest = done { return watch(for: interest) }
        if let protection = socket.lend({ $0.protection }) ?? nil {
            context.log.debug(
                "TLS",
                ["peer": peer, "cipher": protection.cipher, "in_kernel": protection.inKernel],
            )
        }
        watch(for: .readable)
        read()
    }

    private func refuse(_ failure: TransportFailure) {
        guard case .tls(let reason) = failure else {
            return close("the handshake broke: \(failure)")
        }
        complain {
            context.log.warning("TLS handshake failed", ["peer": peer, "reason": reason.message])
        }
        if reason.isPlainText {
            // To what may have been a call: of whichever client, the first is number 1.
            let answer = ExecError(
                .failedPrecondition,
                "this port takes TLS 1.3 only: connect with --tls-ca FILE, or --tls",
            )
            socket.lend { $0.answerInPlainText(Frames.failure(answer, streamID: 1)) }
        }
        close("the handshake failed")
    }
}
