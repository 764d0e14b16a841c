internal import ExecModel
internal import Kernel
internal import Wire

// Answers to wrong tokens, which wait. A connection that is not admitted is not read meanwhile; it is
// watched for its peer's leaving, so that a held answer takes no place of a client that is gone.

extension Connection {
    /// Ends a call with a failure that the peer is told later.
    func hold(_ id: UInt32, _ error: ExecError, for delay: Duration) {
        streams.remember(id)
        heldSoFar += 1
        let number = heldSoFar
        held[number] = loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            held[number] = nil
            context.releaseAnswer(to: network)
            send(Frames.failure(error, streamID: id))
        }
    }

    /// The same for a single call of a connection that is admitted. It goes on to be read.
    func holdCall(_ id: UInt32, _ error: ExecError, for delay: Duration) {
        streams.remember(id)
        heldSoFar += 1
        let number = heldSoFar
        heldCalls[number] = loop.schedule(after: delay) { [weak self] in
            guard let self else { return }
            heldCalls[number] = nil
            send(Frames.failure(error, streamID: id))
        }
    }

    /// The connection is closed: nobody is to be told any more.
    func dropHeldAnswers() {
        for timer in held.values {
            loop.cancel(timer)
            context.releaseAnswer(to: network)
        }
        for timer in heldCalls.values { loop.cancel(timer) }
        held = [:]
        heldCalls = [:]
    }
}
