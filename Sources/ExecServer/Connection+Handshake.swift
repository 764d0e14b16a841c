internal import ExecModel
internal import Kernel
internal import Wire

// The beginning of a connection under TLS. The time to authenticate bounds it, too.

extension Connection {
    /// Nothing can be read or written yet.
    var isHandshaking: Bool { socket.lend { $0.isHandshaking } ?? false }

    /// Goes on with the handshake; after it, what came with it is read.
    func shakeHands() {
        do throws(TransportFailure) {
            let wanted = try socket.lend { (socket) throws(TransportFailure) in
                try socket.handshake()
            }
            guard let done = wanted else { return }
            if let interest = done { return watch(for: interest) }
        } catch {
            return refuse(error)
        }
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
